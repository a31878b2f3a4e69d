import assert from "node:assert/strict";
import test from "node:test";
import { SIZE } from "../../../assets/page/fields.js";
import { LIGHT_COLUMNS, LIGHT_ROWS, lightOf } from "../../../assets/page/light.js";
import { recordOf } from "../../../assets/page/landmark_log.js";
import { hasSimd, threadCount } from "../../../assets/page/loader.js";
import { FLOATS, meshColor, meshEdges, meshVertices, shownOf } from "../../../assets/page/mesh.js";
import { MATTE_HEIGHT, MATTE_WIDTH } from "../../../assets/page/matte.js";
import { cutMouth, depthIn, freeOf, smoothstep, visibility } from "../../../assets/page/visibility.js";

const [WIDTH, HEIGHT] = [260, 320];
const none = new Float32Array(2 * SIZE);
const closed = new Float64Array(136);
const spared = { spareEyes: true, spareMouth: true };
const partsOf = (part) => new Float32Array(8 * SIZE).fill(1, part * SIZE, (part + 1) * SIZE);

test("paint is seen on skin, not on a hand before it, nor on an eye", () => {
  const skin = new Uint8Array(WIDTH * HEIGHT).fill(255);
  assert.ok(visibility(partsOf(1), null, none, skin, closed, spared).every((value) => value === 255));
  assert.ok(visibility(partsOf(0), null, none, skin, closed, spared).every((value) => value === 0));
  assert.ok(visibility(partsOf(4), null, none, skin, closed, spared).every((value) => value === 0));
  assert.ok(visibility(partsOf(4), null, none, skin, closed, { ...spared, spareEyes: false }).every((value) => value === 255));
  assert.ok(visibility(partsOf(0), null, none, skin.fill(0), closed, spared).every((value) => value === 255), "beside the face there is no mask");
});

test("a matte counts in place of the parts' background, and eyes are left alone besides", () => {
  const matte = new Uint8Array(MATTE_WIDTH * MATTE_HEIGHT).fill(255).fill(0, 80 * MATTE_WIDTH);
  const [free, skin] = [freeOf(matte), new Uint8Array(WIDTH * HEIGHT).fill(255)];
  assert.deepEqual([free[100 * WIDTH + 7], free[158 * WIDTH + 259], free[161 * WIDTH], free[319 * WIDTH]], [255, 255, 0, 0]);
  assert.ok(free[159 * WIDTH] > 150 && free[160 * WIDTH] < 105, "a soft edge");
  assert.deepEqual(visibility(partsOf(0), free, none, skin, closed, spared), free, "what the parts take for background");
  assert.ok(visibility(partsOf(4), free, none, skin, closed, spared).every((value) => value === 0), "eyes");
  assert.deepEqual(visibility(partsOf(4), free, none, skin, closed, { spareEyes: false, spareMouth: false }), free);
});

test("a mesh fades where something hides its points", () => {
  const seen = new Uint8Array(WIDTH * HEIGHT).fill(255).fill(0, 160 * WIDTH);
  const crop = [2, 0, 30, 0, 2, 40];
  const points = Float64Array.of(30 + 2 * 50, 40 + 2 * 100, 30 + 2 * 50, 40 + 2 * 200);
  assert.deepEqual([...shownOf(points, crop, seen)], [1, 0]);
  assert.deepEqual([...shownOf(points, crop, null)], [1, 1]);
  const vertices = meshVertices({ edges: [[0, 1, 0]], levels: [0, 0] }, points, 1, 1, shownOf(points, crop, seen));
  const alphas = Array.from({ length: 6 }, (_, i) => vertices[FLOATS * i + 8]);
  assert.deepEqual(alphas.map((alpha) => alpha > 0), [true, true, false, false, true, false]);
});

test("an open mouth is cut out with a soft edge, a closed one is not", () => {
  const lips = [[100, 200], [110, 192], [120, 190], [130, 192], [140, 200], [130, 208], [120, 210], [110, 208]];
  const landmarks = new Float64Array(136);
  lips.forEach(([x, y], i) => landmarks.set([x, y], 2 * (60 + i)));
  const mask = new Uint8Array(WIDTH * HEIGHT).fill(255);
  cutMouth(mask, landmarks);
  assert.equal(mask[200 * WIDTH + 120], 0);
  assert.equal(mask[150 * WIDTH + 120], 255);
  const edge = mask[191 * WIDTH + 120];
  assert.ok(edge > 20 && edge < 230, `${edge}`);
  const shut = new Uint8Array(WIDTH * HEIGHT).fill(255);
  lips.forEach(([x], i) => landmarks.set([x, 200], 2 * (60 + i)));
  cutMouth(shut, landmarks);
  assert.ok(shut.every((value) => value === 255));
});

test("depth in a square, and the step that is smooth", () => {
  const square = [[0, 0], [10, 0], [10, 10], [0, 10]];
  assert.equal(depthIn(square, 5, 3), 3);
  assert.equal(depthIn(square, 13, 14), -5);
  assert.deepEqual([-1, 0, 0.5, 1, 2].map((value) => smoothstep(0, 1, value)), [0, 0, 0.5, 1, 1]);
});

test("an even light changes nothing; a half in the shade gets less", () => {
  const cover = new Uint8Array(SIZE).fill(255);
  const gray = new Uint8Array(WIDTH * HEIGHT).fill(128);
  const even = lightOf(gray, none, cover, 128, 0.85);
  assert.ok(even.every((value) => Math.abs(value - 128) <= 1));
  gray.fill(64, 0, WIDTH * 160);
  const shaded = lightOf(gray, none, cover, 128, 0.85);
  assert.equal(shaded.length, 2 * LIGHT_COLUMNS * LIGHT_ROWS);
  assert.ok(shaded[0] < 0.75 * shaded.at(-2), `${shaded[0]} ${shaded.at(-2)}`);
  assert.ok(lightOf(gray.fill(20), none, cover, 20, 0.85)[0] < 60, "in the dark a picture is dark");
});

test("a mesh has each edge once, and two triangles for each edge's seam and line, and each dot", () => {
  const points = new Float64Array(2 * 31).map((_, i) => (i % 2 ? i : 3 * i));
  const mesh = meshEdges(points, [0, 1, 2, 2, 1, 3]);
  assert.equal(mesh.edges.length, 5);
  const vertices = meshVertices(mesh, points, 1, 1, new Float32Array(31).fill(1));
  assert.equal(vertices.length, FLOATS * 6 * (2 * 5 + 31));
  assert.ok(vertices.every(Number.isFinite));
  assert.deepEqual(meshColor(0, 1), [225 / 255, 1, 250 / 255, 1]);
});

test("a record has points in pairs, rounded to a hundredth", () => {
  const { landmarks, box } = recordOf({ id: 0, state: "tracking", confidence: 0.87654, box: [1.234, 2, 3, 4], landmarks: Float64Array.of(1.239, 2, 3, 4.001), folds: 0 });
  assert.deepEqual(landmarks, [[1.24, 2], [3, 4]]);
  assert.equal(box[0], 1.23);
});

test("this engine has SIMD, and a page that is not isolated gets one thread", () => {
  assert.equal(hasSimd(), true);
  assert.equal(threadCount(), 1);
});
