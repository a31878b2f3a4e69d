// Drawing on the processor: where paint lies, how much of it, and nothing beside it.

import assert from "node:assert/strict";
import test from "node:test";
import { displacementColor, fieldPicture } from "../../../assets/page/field_colors.js";
import { COLUMNS, SIZE } from "../../../assets/page/fields.js";
import { madeUp } from "../../../assets/page/makeup.js";
import { layersOf } from "../../../assets/page/layers.js";
import { paintCanonical, paintCapsule, paintMesh, paintOverlay } from "../../../assets/page/painting.js";

const [WIDTH, HEIGHT] = [320, 380];
const CROP = [1, 0, 30, 0, 1, 30]; // the crop begins 30 px within the frame
const none = new Float32Array(2 * SIZE);
const drawing = (changes = {}) => ({ crop: CROP, onto: none, back: none, mesh: null, seen: null, light: null, picture: null, ...changes });

const frameOf = (value) => {
  const data = new Uint8ClampedArray(4 * WIDTH * HEIGHT).fill(value);
  for (let i = 3; i < data.length; i += 4) data[i] = 255;
  return { data, width: WIDTH, height: HEIGHT };
};
const at = ({ data, width }, x, y) => [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 3)];

/** A picture of the template's size: one color in a box of template px, nothing else. */
const boxOf = ([x0, y0, x1, y1], [red, green, blue, alpha]) => {
  const data = new Uint8ClampedArray(4 * 260 * 320);
  for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) data.set([red * alpha, green * alpha, blue * alpha, 255 * alpha], 4 * (y * 260 + x));
  return { data, width: 260, height: 320 };
};

test("a picture lies where the crop puts it, blended by its alpha and the opacity", () => {
  const frame = frameOf(100);
  paintOverlay(frame, drawing(), layersOf(boxOf([80, 100, 180, 200], [250, 10, 10, 0.5])), "glow", 0.8);
  assert.deepEqual(at(frame, 30 + 130, 30 + 150), [160, 64, 64]); // 0.4 of the color, 0.6 of the frame
  assert.deepEqual(at(frame, 30 + 70, 30 + 150), [100, 100, 100]);
  assert.deepEqual(at(frame, 30 + 130, 30 + 210), [100, 100, 100]);
  assert.deepEqual(at(frame, 5, 5), [100, 100, 100]);
});

test("a field carries the picture along, a hidden px shows the frame", () => {
  const shifted = new Float32Array(2 * SIZE).fill(20, 0, SIZE); // what is at x lies at x + 20 in the template
  const seen = new Uint8Array(260 * 320).fill(255);
  seen.fill(0, 0, 260 * 140);
  const frame = frameOf(100);
  paintOverlay(frame, drawing({ onto: shifted, seen }), layersOf(boxOf([80, 100, 180, 200], [255, 255, 255, 1])), "glow", 1);
  assert.deepEqual(at(frame, 30 + 65, 30 + 170), [255, 255, 255]);
  assert.deepEqual(at(frame, 30 + 170, 30 + 170), [100, 100, 100]);
  assert.deepEqual(at(frame, 30 + 65, 30 + 120), [100, 100, 100], "hidden");
});

test("paint in the shade is darker, and takes the grain of the skin", () => {
  const light = new Uint8Array(2 * 52 * 64).map((_, i) => (i % 2 ? 100 : 64)); // half of the gain, shading 100
  const frame = frameOf(100);
  const layers = layersOf(boxOf([80, 100, 180, 200], [200, 100, 50, 1]));
  paintOverlay(frame, drawing({ light }), layers, "tint", 1);
  const [red, green] = at(frame, 30 + 130, 30 + 150);
  assert.ok(Math.abs(red - 100) <= 1 && Math.abs(green - 50) <= 1, `${red} ${green}`);
  const brighter = frameOf(120);
  paintOverlay(brighter, drawing({ light }), layers, "tint", 1);
  assert.ok(Math.abs(at(brighter, 30 + 130, 30 + 150)[0] - 120) <= 2);
});

test("a face at the frame's border, and one beside it, are drawn as far as they are there", () => {
  for (const crop of [[1, 0, -150, 0, 1, -150], [0.2, 0.05, 250, -0.05, 0.2, 300], [1, 0, 900, 0, 1, 0], [3, 0, -200, 0, 3, -200]]) {
    const frame = frameOf(100);
    paintOverlay(frame, drawing({ crop }), layersOf(boxOf([0, 0, 260, 320], [255, 0, 0, 1])), "glow", 1);
    assert.ok(frame.data.every((value, i) => i % 4 < 3 || value === 255));
  }
});

test("the face in the template's pose fills the middle, the rest is dark", () => {
  const frame = frameOf(100);
  for (let i = 0; i < frame.data.length; i += 4) frame.data[i] = (i / 4) % WIDTH > 160 ? 200 : 50;
  paintCanonical(frame, drawing({ crop: [1, 0, 30, 0, 1, 30] }));
  assert.deepEqual(at(frame, 1, 190), [13, 15, 18]);
  assert.equal(at(frame, 100, 190)[0], 50);
  assert.equal(at(frame, 220, 190)[0], 200);
});

test("a line covers its width and is soft at its edge; a mesh is drawn at its points alone", () => {
  const frame = frameOf(0);
  paintCapsule(frame, 20, 50, 80, 50, 1.5, [1, 1, 1, 1]);
  assert.deepEqual([48, 49, 50, 51, 52, 53].map((y) => at(frame, 50, y)[0]), [0, 255, 255, 255, 0, 0]);
  assert.equal(at(frame, 90, 50)[0], 0);
  const meshed = frameOf(0);
  const mesh = { edges: [[0, 1, 0]], levels: [0, 0] };
  paintMesh(meshed, mesh, drawing({ mesh: Float64Array.of(100, 100, 140, 100) }), 1);
  assert.ok(at(meshed, 120, 100)[0] > 100);
  assert.deepEqual(at(meshed, 120, 110), [0, 0, 0]);
  const hidden = frameOf(0);
  paintMesh(hidden, mesh, drawing({ mesh: Float64Array.of(100, 100, 140, 100), seen: new Uint8Array(260 * 320) }), 1);
  assert.deepEqual(at(hidden, 120, 100), [0, 0, 0]);
});

test("a displacement's hue is its direction, its strength the length; folds are red", () => {
  assert.deepEqual(displacementColor(24, 0), [1, 0, 0, 1]);
  assert.deepEqual(displacementColor(0, 0).map(Math.abs), [0, 0, 0, 0]);
  const [red, green, blue, alpha] = displacementColor(-6, 0); // to the left: cyan, a quarter of the full length
  assert.equal(alpha, 0.5);
  assert.ok(green === blue && green > red);
  const folding = new Float32Array(2 * SIZE);
  for (let i = 0; i < SIZE; i++) folding[i] = -8 * ((i % COLUMNS) - 32); // x comes back faster than it goes
  const { data } = fieldPicture(folding, none);
  const middle = 4 * (162 * 260 + 131);
  assert.ok(data[middle] > 170 && data[middle + 1] < 90, `${data.subarray(middle, middle + 4)}`);
});

test("parts of make-up lie over each other, each in its color", () => {
  const masks = [Uint8Array.of(255, 255, 0), Uint8Array.of(0, 255, 0)];
  const data = madeUp(masks, [{ color: "#ff0000", strength: 0.5 }, { color: "#0000ff", strength: 1 }]);
  assert.deepEqual([...data.subarray(0, 4)], [255, 0, 0, 128]);
  assert.deepEqual([...data.subarray(4, 8)], [0, 0, 255, 255]);
  assert.deepEqual([...data.subarray(8)], [0, 0, 0, 0]);
});
