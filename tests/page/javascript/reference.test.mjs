// The same numbers as the program's, which tests/page/test_javascript.py writes down.

import assert from "node:assert/strict";
import fs from "node:fs";
import test from "node:test";
import { cropAroundLandmarks, cut, grayOf, windowOf } from "../../../assets/page/crop.js";
import { decode, landmarkSquare } from "../../../assets/page/detector.js";
import { layersOf } from "../../../assets/page/layers.js";
import { MATTE_HEIGHT, SteadyMattes, WINDOW_WIDTH, confidenceSeen, windowPixels } from "../../../assets/page/matte.js";
import { paintOverlay } from "../../../assets/page/painting.js";
import { PixelFrame } from "../../../assets/page/pixels.js";
import { prepared } from "../../../assets/page/preparing.js";
import { SteadyScenes, sceneOf } from "../../../assets/page/scene.js";
import { FaceSmoother } from "../../../assets/page/smoothing.js";
import { freeOf } from "../../../assets/page/visibility.js";

const path = process.env.FACEWARP_REFERENCE;
const reference = path ? JSON.parse(fs.readFileSync(path, "utf-8")) : null;
const skip = reference ? false : "no FACEWARP_REFERENCE";
const worst = (one, other) => [...one].reduce((most, value, i) => Math.max(most, Math.abs(value - other[i])), 0);

test("crops are the program's, to a gray level", { skip }, () => {
  const { width, height, pixels, crops } = reference.crop;
  const data = Uint8Array.from(Buffer.from(pixels, "base64"));
  for (const { matrix, gray } of crops) {
    const at = windowOf(matrix, width, height);
    const part = new Uint8Array(at.width * at.height * 4);
    for (let row = 0; row < at.height; row++) {
      const from = ((at.y0 + row) * width + at.x0) * 4;
      part.set(data.subarray(from, from + 4 * at.width), row * at.width * 4);
    }
    const found = cut(grayOf({ data: part, width: at.width, height: at.height, channels: 4 }), at, matrix);
    const expected = Buffer.from(gray, "base64");
    assert.ok(worst(found, expected) <= 1, `${worst(found, expected)}`);
  }
});

test("a matte is held steady, and what is seen counted, as by the program", { skip }, async () => {
  const bytes = (text) => Uint8Array.from(Buffer.from(text, "base64"));
  const labels = new Float32Array(bytes(reference.mattes.labels).buffer);
  const mattes = new SteadyMattes(async () => new Float32Array());
  for (const { time, crop, gray, back, told, expected } of reference.mattes.frames) {
    const face = { id: 3, crop, gray: bytes(gray), confidence: 0.9, back: Float32Array.from(back) };
    const matte = mattes.steady(face, Float32Array.from(bytes(told)), time);
    assert.ok(worst(matte, bytes(expected.matte)) <= 2, `matte ${worst(matte, bytes(expected.matte))}`);
    assert.ok(worst(freeOf(matte), bytes(expected.free)) <= 8, `free ${worst(freeOf(matte), bytes(expected.free))}`);
    const confidence = confidenceSeen(face, matte, labels);
    assert.ok(Math.abs(confidence - expected.confidence) < 0.002, `${confidence} ${expected.confidence}`);
  }
});

test("the matte's network sees the program's window, to a level", { skip }, async () => {
  const { width, height, pixels, crops } = reference.crop;
  const frame = new PixelFrame(Uint8ClampedArray.from(Buffer.from(pixels, "base64")), width, height);
  for (const { matrix, window } of crops) {
    const given = windowPixels(frame, matrix);
    const mattes = new SteadyMattes(async (rgba) => new Float32Array(WINDOW_WIDTH * MATTE_HEIGHT).fill(rgba === given ? 1 : 0));
    const behind = { window: given, gray: new Uint8Array(260 * 320), background: new Float32Array() };
    assert.ok((await mattes.next({ id: 0, crop: matrix, behind }, 0)).every((value) => value === 255));
    const expected = Buffer.from(window, "base64");
    const rgb = given.filter((_, i) => i % 4 < 3);
    assert.equal(rgb.length, expected.length);
    assert.ok(worst(rgb, expected) <= 1, `${worst(rgb, expected)}`);
  }
});

test("the crop of a face is the program's", { skip }, () => {
  const { landmarks, matrix } = reference.around;
  assert.ok(worst(cropAroundLandmarks(Float64Array.from(landmarks)), matrix) < 1e-9);
});

test("the detector's outputs are decoded as by the program, best first", { skip }, () => {
  const { regressors, logits, sightings } = reference.detector;
  const found = decode(Float32Array.from(regressors), Float32Array.from(logits));
  assert.equal(found.length, sightings.length);
  found.forEach((seen, i) => {
    assert.ok(worst(seen.center, sightings[i].center) < 1e-3 && Math.abs(seen.side - sightings[i].side) < 1e-3);
    assert.ok(worst(seen.keypoints, sightings[i].keypoints) < 1e-2 && Math.abs(seen.score - sightings[i].score) < 1e-6);
    const { center, side } = landmarkSquare({ ...seen, ...sightings[i], keypoints: Float64Array.from(sightings[i].keypoints) });
    assert.ok(worst([...center, side], sightings[i].square) < 1e-6);
  });
});

test("a moving face is smoothed as by the program", { skip }, () => {
  const { template, config, frames } = reference.smoothing;
  const smoother = new FaceSmoother(Float64Array.from(template), config);
  for (const { time, crop, landmarks, onto, back, expected } of frames) {
    const face = { crop, landmarks: Float64Array.from(landmarks), onto: Float32Array.from(onto), back: Float32Array.from(back) };
    const smooth = smoother.next(face, time);
    assert.ok(worst(smooth.landmarks, expected.landmarks) < 0.01, `landmarks ${worst(smooth.landmarks, expected.landmarks)}`);
    // Errors below 0.02 px are left alone, on either side of rounding.
    assert.ok(worst(smooth.onto, expected.onto) < 0.05, `onto ${worst(smooth.onto, expected.onto)}`);
    assert.ok(worst(smooth.back, expected.back) < 0.02, `back ${worst(smooth.back, expected.back)}`);
  }
});

const bytes = (text) => Uint8ClampedArray.from(Buffer.from(text, "base64"));
const partsOf = (text) => new Float32Array(bytes(text).buffer);

test("light, saturation, black, white, blur and noise of a frame are measured as by the program", { skip }, () => {
  for (const { name, width, height, pixels, crop, landmarks, parts, scene } of reference.scenes) {
    const found = sceneOf({ data: bytes(pixels), width, height }, crop, partsOf(parts), Float64Array.from(landmarks));
    assert.ok(worst(found.light, scene.light) < 0.01, `${name}: light ${found.light}, ${scene.light}`);
    assert.ok(Math.abs(found.black - scene.black) < 0.5, `${name}: black ${found.black}, ${scene.black}`);
    assert.ok(Math.abs(found.white - scene.white) < 0.01, `${name}: white ${found.white}, ${scene.white}`);
    assert.ok(Math.abs(found.skin - scene.skin) < 1, `${name}: skin ${found.skin}, ${scene.skin}`);
    assert.ok(Math.abs(found.eyes - scene.eyes) < 4, `${name}: eyes ${found.eyes}, ${scene.eyes}`);
    assert.ok(found.saturation < scene.saturation + 0.01, `${name}: saturation ${found.saturation}, ${scene.saturation}`);
    assert.ok(Math.abs(found.blur - scene.blur) < 0.05 + 0.05 * scene.blur, `${name}: blur ${found.blur}, ${scene.blur}`);
    assert.ok(Math.abs(found.noise - scene.noise) < 0.05, `${name}: noise ${found.noise}, ${scene.noise}`);
  }
});

/** What is drawn of a scene, RGBA; with another scene, or none, where that is given. */
function paintedScene({ blend, width, height, pixels, crop, landmarks, parts, skin, picture, room }, scene) {
  const frame = new PixelFrame(bytes(pixels), width, height);
  const painted = { data: bytes(pixels), width, height };
  const layers = layersOf({ data: bytes(picture), width: 260, height: 320 });
  const cover = Uint8Array.from({ length: 65 * 80 }, (_, i) => layers.levels[0].data[4 * ((4 * Math.floor(i / 65) + 2) * 260 + 4 * (i % 65) + 2) + 3]);
  const field = new Float32Array(2 * 65 * 80);
  const points = Float64Array.from(landmarks);
  const measured = scene === undefined ? sceneOf(frame, crop, partsOf(parts), points) : scene;
  const face = { crop, landmarks: points, onto: field, back: field, parts: partsOf(parts), behind: { gray: frame.gray(crop) }, mesh: null, state: "tracking", scene: measured };
  const fit = { cover, blend, spareEyes: true, isOccluded: true };
  paintOverlay(painted, prepared(face, null, "texture", fit, new Uint8Array(bytes(skin)), room), layers, blend, 1);
  return painted.data;
}

test("paint has the color that the program gives it, to three levels", { skip }, () => {
  for (const one of reference.scenes) {
    const { name, width, at, scene, before, color } = one;
    const colorIn = (drawn) => {
      const sums = [0, 0, 0];
      for (let y = at[1] - 3; y <= at[1] + 3; y++) for (let x = at[0] - 3; x <= at[0] + 3; x++) for (let c = 0; c < 3; c++) sums[c] += drawn[4 * (y * width + x) + c] / 49;
      return sums;
    };
    const found = colorIn(paintedScene(one));
    assert.ok(worst(found, color) <= 3, `${name}: ${found} for ${color}`);
    assert.ok(worst(color, before) > 5, `${name}: nothing is painted there`);
    if (worst(scene.light, [1, 1, 1]) > 0.05) assert.ok(worst(colorIn(paintedScene(one, null)), color) > 8, `${name}: the scene changes nothing`);
  }
});

test("paint is as soft and as grainy as the program's", { skip }, () => {
  const [sharp, soft, noisy] = ["neutral, paint", "soft, paint", "noisy, mask"].map((name) => {
    const one = reference.scenes.find((scene) => scene.name === name);
    const { width, height, at: [x, y], grain: itsGrain, edge: itsEdge } = one;
    const drawn = paintedScene(one);
    const value = (column, row, c) => drawn[4 * (row * width + column) + c];
    const window = Array.from({ length: 256 }, (_, i) => value(x - 8 + (i % 16), y - 8 + (i >> 4), 0));
    const mean = window.reduce((sum, red) => sum + red / 256, 0);
    const grain = Math.sqrt(window.reduce((sum, red) => sum + (red - mean) ** 2 / 256, 0));
    const rows = Array.from({ length: height - y }, (_, i) => Array.from({ length: 7 }, (_, k) => value(x - 3 + k, y + i, 2) / 7).reduce((sum, value) => sum + value, 0));
    const edge = rows.slice(1).reduce((most, row, i) => Math.max(most, Math.abs(row - rows[i])), 0);
    assert.ok(Math.abs(grain - itsGrain) < 0.5 + 0.15 * itsGrain, `${name}: grain ${grain}, ${itsGrain}`);
    assert.ok(Math.abs(edge - itsEdge) < 0.2 * itsEdge, `${name}: edge ${edge}, ${itsEdge}`);
    return { grain, edge };
  });
  assert.ok(soft.edge < 0.7 * sharp.edge, `${soft.edge}, ${sharp.edge}`);
  assert.ok(noisy.grain > 3 * sharp.grain + 2, `${noisy.grain}, ${sharp.grain}`);
});

test("a scene follows slowly, and starts anew after a cut", { skip }, () => {
  const [neutral, warm] = reference.scenes;
  const faceIn = ({ crop, landmarks, parts }) => ({ id: 0, crop, landmarks: Float64Array.from(landmarks), parts: partsOf(parts) });
  const frameIn = ({ pixels, width, height }) => ({ data: bytes(pixels), width, height });
  const steady = new SteadyScenes();
  const first = steady.next(frameIn(neutral), faceIn(neutral));
  for (let i = 0; i < 8; i++) steady.next(frameIn(warm), faceIn(warm));
  const soon = steady.next(frameIn(warm), faceIn(warm));
  const whole = sceneOf(frameIn(warm), warm.crop, partsOf(warm.parts), Float64Array.from(warm.landmarks));
  const share = (soon.light[0] - first.light[0]) / (whole.light[0] - first.light[0]);
  assert.ok(share > 0.05 && share < 0.3, `${share}`);
  const black = frameIn(warm);
  black.data.fill(0);
  assert.ok(worst(steady.next(black, faceIn(warm)).light, sceneOf(black, warm.crop, partsOf(warm.parts), Float64Array.from(warm.landmarks)).light) < 1e-9);
});
