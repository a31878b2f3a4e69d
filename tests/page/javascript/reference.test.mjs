// The same numbers as the program's, which tests/page/test_javascript.py writes down.

import assert from "node:assert/strict";
import fs from "node:fs";
import test from "node:test";
import { cropAroundLandmarks, cut, grayOf, windowOf } from "../../../assets/page/crop.js";
import { decode, landmarkSquare } from "../../../assets/page/detector.js";
import { FaceSmoother } from "../../../assets/page/smoothing.js";

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
