import assert from "node:assert/strict";
import test from "node:test";
import { calibrated, partDice, warpedLabels } from "../../../assets/page/confidence.js";
import { CELL, COLUMNS, OFFSET, ROWS, SIZE, affineAfterField, composedFields, displaced, fieldAfterAffine, foldsPercent } from "../../../assets/page/fields.js";
import { interleaved, shaderMatrix } from "../../../assets/page/renderer.js";

const fieldOf = (at) => {
  const field = new Float32Array(2 * SIZE);
  for (let row = 0, i = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++, i++) [field[i], field[i + SIZE]] = at(OFFSET + CELL * column, OFFSET + CELL * row);
  }
  return field;
};
const shift = (x, y) => fieldOf(() => [x, y]);
const points = Float64Array.of(100, 120, 31.5, 200.25);

test("a shift by 3 and -2 px is just that, inside of the crop and beyond it", () => {
  assert.deepEqual([...displaced(shift(3, -2), Float64Array.of(100, 120, -40, 500))], [103, 118, -37, 498]);
});

test("a field that grows evenly is met exactly between its points", () => {
  const moved = displaced(fieldOf((x, y) => [0.1 * x, -0.05 * y]), points);
  points.forEach((value, i) => assert.ok(Math.abs(moved[i] - value * (i % 2 ? 0.95 : 1.1)) < 1e-3));
});

test("composing two shifts adds them; composing with no field changes nothing", () => {
  const found = composedFields(shift(1, 2), shift(3, 4));
  assert.ok(found.every((value, i) => Math.abs(value - (i < SIZE ? 4 : 6)) < 1e-5));
  const one = fieldOf((x, y) => [Math.sin(x / 30), y / 50]);
  assert.equal(composedFields(null, one), one);
});

test("an affine map before and after no field is itself", () => {
  const m = [1.02, 0.1, 5, -0.1, 0.98, -3];
  for (const field of [fieldAfterAffine(m, shift(0, 0)), affineAfterField(m, shift(0, 0))]) {
    const [x, y] = displaced(field, points);
    assert.ok(Math.abs(x - (1.02 * 100 + 0.1 * 120 + 5)) < 1e-3 && Math.abs(y - (-0.1 * 100 + 0.98 * 120 - 3)) < 1e-3);
  }
});

test("a field that turns the face inside out folds all of it, the identity nothing", () => {
  const background = new Float32Array(SIZE);
  assert.equal(foldsPercent(shift(0, 0), background), 0);
  assert.equal(foldsPercent(fieldOf((x) => [-2 * x, 0]), background), 100);
  assert.equal(foldsPercent(fieldOf((x) => [-2 * x, 0]), background.fill(1)), 0);
});

test("labels that agree have a Dice of 1, labels that don't 0, and a shift lies between", () => {
  const labels = new Float32Array(8 * SIZE);
  for (let i = 0; i < SIZE; i++) labels[(i % COLUMNS > 20 && i % COLUMNS < 45 ? SIZE : 0) + i] = 1;
  assert.equal(partDice(warpedLabels(labels, shift(0, 0)), labels), 1);
  const shifted = partDice(warpedLabels(labels, shift(24, 0)), labels);
  assert.ok(Math.abs(shifted - 18 / 24) < 0.01, `${shifted}`);
  assert.equal(partDice(warpedLabels(labels, shift(240, 0)), labels), 0);
});

test("confidence is read from straight lines between knots", () => {
  const knots = [[0, 0], [0.6, 0.12], [1, 0.9]];
  assert.deepEqual([0, 0.3, 0.6, 0.8, 1].map((value) => Math.round(1e6 * calibrated(knots, value)) / 1e6), [0, 0.06, 0.12, 0.51, 0.9]);
});

test("what shaders are given: columns of a matrix, x and y of each point in turn", () => {
  assert.deepEqual([...shaderMatrix([1, 2, 3, 4, 5, 6])], [1, 4, 0, 2, 5, 0, 3, 6, 1]);
  assert.deepEqual([...interleaved(shift(3, -2)).slice(0, 4)], [3, -2, 3, -2]);
});
