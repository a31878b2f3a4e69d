// Following faces with a network and a detector that are made up.

import assert from "node:assert/strict";
import test from "node:test";
import { COLUMNS, SIZE } from "../../../assets/page/fields.js";
import { PixelFrame } from "../../../assets/page/pixels.js";
import { FaceTracker } from "../../../assets/page/tracker.js";

const smoothing = { pose: { min_hz: 1, beta: 20, noise: 0.1, speed_hz: 1 }, shape: { min_hz: 1, beta: 20, noise: 0.1, speed_hz: 1 } };
const config = { sure: 0.5, unsure: 0.4, gone: 0.2, patience: 3, look_every_s: 0.5, search_every_s: 1.5, search_beside_every_s: 8, remember_s: 5, knots: [[0, 0], [1, 1]], smoothing };

/** Soft labels: the face's part in the middle, an eye each in it, background around. */
const labels = (() => {
  const found = new Float32Array(8 * SIZE);
  for (let i = 0; i < SIZE; i++) {
    const [x, y] = [i % COLUMNS, Math.floor(i / COLUMNS)];
    const isFace = Math.abs(x - 32) < 16 && Math.abs(y - 40) < 20;
    const part = !isFace ? 0 : Math.abs(y - 34) < 3 && Math.abs(x - 25) < 4 ? 4 : Math.abs(y - 34) < 3 && Math.abs(x - 40) < 4 ? 5 : 1;
    found[part * SIZE + i] = 1;
  }
  return found;
})();
// A ring of points 80 px around the middle, its eyes level.
const landmarks = Float64Array.from({ length: 136 }, (_, i) => {
  const n = i >> 1;
  if (n >= 36 && n < 48) return i % 2 ? 140 : n < 42 ? 100 : 160;
  const angle = (2 * Math.PI * n) / 68;
  return i % 2 ? 160 + 80 * Math.sin(angle) : 130 + 80 * Math.cos(angle);
});
const template = { name: "t", labels, landmarks, mesh: landmarks, worn: null };

/** A network that finds the template as it is, in the share of the face that is asked for. */
function network(state) {
  return async (gray, given, ways) => {
    state.calls.push(ways.length);
    const parts = state.isThere ? labels : new Float32Array(8 * SIZE).fill(1, 0, SIZE);
    return { parts, fields: new Float32Array(2 * SIZE * ways.length) };
  };
}
const sightingAt = (x, y) => ({ center: [x, y], side: 110, score: 0.9, keypoints: Float64Array.of(x - 20, y - 20, x + 20, y - 20, x, y, x, y + 25, x - 50, y - 10, x + 50, y - 10) });
function made(sightings) {
  const state = { calls: [], looks: 0, isThere: true };
  const detector = {
    detect: async (picture, tiled, isKnown = () => false) => {
      state.looks += 1;
      return state.isThere ? sightings.filter((one) => !isKnown(one)) : [];
    },
  };
  return { state, tracker: new FaceTracker(config, detector, network(state), template) };
}
const frame = new PixelFrame(new Uint8ClampedArray(4 * 640 * 480).fill(90), 640, 480);

test("a face is found both ways, followed one way, and looked at both ways twice a second", async () => {
  const { state, tracker } = made([sightingAt(300, 240)]);
  const [face] = await tracker.next(frame, 0);
  assert.equal(face.state, "tracking");
  assert.ok(face.confidence > 0.95);
  assert.ok(state.calls.every((ways) => ways === 2));
  state.calls.length = 0;
  for (let i = 1; i <= 30; i++) await tracker.next(frame, i / 30);
  assert.equal(state.calls.filter((ways) => ways === 2).length, 2, `${state.calls}`);
  assert.equal(state.calls.filter((ways) => ways === 1).length, 28);
  assert.equal(state.looks, 1, "the detector rests while the face is followed");
});

test("a face that goes is lost, comes back under its number, and is forgotten after a while", async () => {
  const { state, tracker } = made([sightingAt(300, 240)]);
  await tracker.next(frame, 0);
  state.isThere = false;
  const [lost] = await tracker.next(frame, 0.1);
  assert.equal(lost.state, "lost");
  assert.equal(lost.confidence, 0);
  state.isThere = true;
  const [back] = await tracker.next(frame, 2);
  assert.equal(back.state, "tracking");
  assert.equal(back.id, 0);
  state.isThere = false;
  await tracker.next(frame, 2.1);
  assert.deepEqual(await tracker.next(frame, 9), []);
});

test("as many faces are followed as are asked for, each under its number", async () => {
  const { tracker } = made([sightingAt(180, 240), sightingAt(470, 240)]);
  assert.equal((await tracker.next(frame, 0)).length, 1);
  tracker.most = 2;
  const faces = await tracker.next(frame, 0.6);
  assert.deepEqual(faces.map(({ id }) => id), [0, 1]);
  assert.ok(Math.abs(faces[0].landmarks[0] - faces[1].landmarks[0]) > 200);
  const later = await tracker.next(frame, 0.63);
  assert.deepEqual(later.map(({ id, state }) => [id, state]), [[0, "tracking"], [1, "tracking"]]);
});

test("fewer faces than before are followed when that is asked for", async () => {
  const { tracker } = made([sightingAt(180, 240), sightingAt(470, 240)]);
  tracker.most = 2;
  assert.equal((await tracker.next(frame, 0)).length, 2);
  tracker.most = 1;
  assert.equal((await tracker.next(frame, 0.03)).length, 1);
});

test("a template is made of the largest face that is followed, and of none without one", async () => {
  const { tracker } = made([sightingAt(300, 240)]);
  assert.equal(await tracker.templateOf(frame, "my face"), null);
  await tracker.next(frame, 0);
  const found = await tracker.templateOf(frame, "my face");
  assert.equal(found.name, "my face");
  assert.ok(found.landmarks.every((value, i) => Math.abs(value - landmarks[i]) < 1.5));
});

test("pixels of a box, and the brightness of a frame", () => {
  const data = new Uint8ClampedArray(4 * 40 * 40).map((_, i) => (i % 4 === 3 ? 255 : 60));
  data.set([1, 2, 3, 255], 4 * (5 * 40 + 7));
  const small = new PixelFrame(data, 40, 40);
  assert.deepEqual([...small.color({ x0: 7, y0: 5, width: 1, height: 2 }).data], [1, 2, 3, 255, 60, 60, 60, 255]);
  assert.equal(small.brightness(), 60);
});
