#!/usr/bin/env bash
# A picture made smaller for a network in the browser: tf.image.resizeBilinear of TensorFlow.js 4.22, and its rotation.
#
# One would guess: it resizes as tf.image.resize of TensorFlow 2, PyTorch, OpenCV and the browser's canvas do,
# edges onto edges; and rotateWithOffset by half a turn about the middle (0.5) is the picture turned round.
# What happens: halfPixelCenters is false by default, as in TensorFlow 1. Made smaller by k, result pixel i is source
# pixel k i instead of k i + (k - 1) / 2: everything is seen (k - 1) / 2 px of the source too far left and up,
# 1.5 px at a fourth. rotateWithOffset turns about width / 2, where the middle is (width - 1) / 2: half a turn
# lands 1 px further right and down.
# What follows: a face model exported to the browser finds points that are shifted, by more the larger the frame is,
# and agrees with Python on pictures of the network's own size. Pass (image, size, false, true).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-cpu@4.22.0 \
    > log 2>&1 || { cat log; exit 1; }
cat > resize.mjs <<'JS'
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';

await tf.setBackend('cpu');
const [width, height, column, row] = [40, 32, 25, 10];
const indices = Array.from({ length: width * height }, (_, i) => [i % width, Math.floor(i / width)]);
const columns = tf.tensor4d(indices.map(([x]) => x), [1, height, width, 1]);
const blob = tf.tensor4d(
  indices.map(([x, y]) => Math.exp(-((x - column) ** 2 + (y - row) ** 2) / 8)), [1, height, width, 1]);

function center(image) {
  let [sum, cx, cy] = [0, 0, 0];
  image.dataSync().forEach((v, i) => {
    [sum, cx, cy] = [sum + v, cx + v * (i % width), cy + v * Math.floor(i / width)];
  });
  return [cx / sum, cy / sum];
}

console.log('TensorFlow.js', tf.version_core);
const size = [height / 4, width / 4];
const plain = Array.from(tf.image.resizeBilinear(columns, size).dataSync().slice(0, 3));
const half = Array.from(tf.image.resizeBilinear(columns, size, false, true).dataSync().slice(0, 3));
console.log(`a fourth: pixels 0, 1, 2 show columns ${plain}; with halfPixelCenters ${half}`);
const turned = center(tf.image.rotateWithOffset(blob, Math.PI, 0, 0.5));
const wanted = [width - 1 - column, height - 1 - row];
console.log(`half a turn: the point is at ${turned.map((v) => v.toFixed(2))} instead of ${wanted}`);
const same = `${plain}` === '0,4,8' && `${half}` === '1.5,5.5,9.5'
  && turned.every((v, i) => Math.abs(v - wanted[i] - 1) < 0.01);
process.exit(same ? 0 : 1);
JS
node resize.mjs
