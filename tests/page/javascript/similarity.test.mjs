import assert from "node:assert/strict";
import test from "node:test";
import { boxOf, composed, fittedSimilarity, inverted, transformed, turnedAbout, withoutTurns } from "../../../assets/page/similarity.js";

const points = Float64Array.of(3, 4, 10, -2, 0.5, 8, -6, 1);
const near = (one, other, tolerance = 1e-9) => [...one].forEach((value, i) => assert.ok(Math.abs(value - other[i]) < tolerance, `${value} is not ${other[i]}`));

test("a similarity is found from the points that it moves", () => {
  const moved = turnedAbout([1, 2], [30, -7], 1.7, 0.6);
  near(fittedSimilarity(points, transformed(moved, points)), moved);
});

test("an inverse undoes, and maps compose from the inside out", () => {
  const [one, other] = [turnedAbout([1, 2], [30, -7], 1.7, 0.6), turnedAbout([0, 0], [4, 4], 0.5, -2)];
  near(transformed(inverted(one), transformed(one, points)), points);
  near(transformed(composed(one, other), points), transformed(one, transformed(other, points)));
});

test("a turn of +90 degrees takes +x to +y", () => {
  near(transformed(turnedAbout([0, 0], [0, 0], 1, Math.PI / 2), Float64Array.of(1, 0)), [0, 1]);
});

test("whole turns are left out, and a box holds its points", () => {
  near([withoutTurns(2 * Math.PI + 0.1), withoutTurns(-3 * Math.PI - 0.1)], [0.1, Math.PI - 0.1]);
  assert.deepEqual(boxOf(points), [-6, -2, 10, 8]);
});
