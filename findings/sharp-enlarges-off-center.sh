#!/usr/bin/env bash
# Where a point lies in a picture that sharp 0.35 (libvips 8.18, npm) has enlarged.
#
# One would guess: resize() maps the picture's edges to the result's edges, so that a point of column x is found at
# (x + 1/2) s - 1/2, as with Pillow, OpenCV and PyTorch, and as with sharp itself where it shrinks.
# What happens: enlarged by any factor and any kernel but "nearest", everything is half a pixel of the result
# further right and down. Shrunk, and with "nearest" by whole factors, it lies where it should.
# What follows: faces cut out and enlarged on a server are shifted against points, masks and crops that were scaled
# by number, by half a pixel of the result, always to the same side; a mask enlarged by "nearest" beside its picture
# does not fit it. Enlarge with another tool, or take half a pixel off the points.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund sharp@0.35.5 > log 2>&1 || { cat log; exit 1; }
cat > where.mjs <<'JS'
import sharp from 'sharp';

const [width, height, column, row] = [40, 30, 25, 10];
const blob = Buffer.from(Array.from({ length: width * height }, (_, i) =>
  Math.round(255 * Math.exp(-((i % width - column) ** 2 + (Math.floor(i / width) - row) ** 2) / 8))));

async function off(factor, kernel) { // of the center of gravity, px of the result
  const { data, info } = await sharp(blob, { raw: { width, height, channels: 1 } })
    .resize(width * factor, height * factor, { kernel, fit: 'fill' })
    .extractChannel(0).raw().toBuffer({ resolveWithObject: true });
  let [sum, x, y] = [0, 0, 0];
  data.forEach((value, i) => {
    [sum, x, y] = [sum + value, x + value * (i % info.width), y + value * Math.floor(i / info.width)];
  });
  return [x / sum - ((column + 0.5) * factor - 0.5), y / sum - ((row + 0.5) * factor - 0.5)];
}

console.log('sharp', sharp.versions.sharp, 'libvips', sharp.versions.vips);
let same = true;
for (const kernel of ['nearest', 'linear', 'cubic', 'lanczos3']) {
  for (const factor of [2, 4]) {
    const found = await off(factor, kernel);
    console.log(`${kernel}, ${factor} times as large: off by ${found.map((v) => v.toFixed(2))} px`);
    same &&= found.every((v) => Math.abs(v - (kernel === 'nearest' ? 0 : 0.5)) < 0.03);
  }
}
const shrunk = await off(0.5, 'lanczos3');
console.log(`lanczos3, half as large: off by ${shrunk.map((v) => v.toFixed(2))} px`);
process.exit(same && shrunk.every((v) => Math.abs(v) < 0.03) ? 0 : 1);
JS
node where.mjs
