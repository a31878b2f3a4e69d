#!/usr/bin/env bash
# A face that moves by one morph target a frame (glTF, 24 frames a second), made smaller by gltfpack 1.3.0 (npm).
#
# One would guess: gltfpack quantizes numbers and leaves each frame its shape; keys of an animation that are not evenly
# 1/30 s apart stay where they are.
# What happens: animations are sampled anew at 30 a second unless -af says otherwise. What lay between two new keys is
# a straight line now, so that at its own time a frame has 0.6 to 1 of its own weight, the rest are its neighbors':
# a blink of one frame shuts the lid by 60 %, and motion pulses six times a second; at 25 as well. At 60 every other
# frame is gone, at 30 all is whole, so that a test at 30 passes. Nothing is said.
# What follows: -af 24 (the clip's own rate, if whole) or -af 0 (keys as they are) keeps it. gltf-transform's resample,
# quantize and sparse leave the weights whole.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund gltfpack@1.3.0 @gltf-transform/core@4.5.1 @gltf-transform/extensions@4.5.1 \
    @gltf-transform/functions@4.5.1 > log 2>&1 || { cat log; exit 1; }
cat > pack.mjs <<'JS'
import { execFileSync } from 'node:child_process';
import { Document, Logger, NodeIO } from '@gltf-transform/core';
import { KHRONOS_EXTENSIONS } from '@gltf-transform/extensions';
import { quantize, resample, sparse } from '@gltf-transform/functions';

const [frames, side] = [24, 12];
const io = new NodeIO().setLogger(new Logger(Logger.Verbosity.SILENT)).registerExtensions(KHRONOS_EXTENSIONS);

async function write(rate) {
  const document = new Document();
  const buffer = document.createBuffer();
  const data = (type, array) => document.createAccessor().setType(type).setArray(array).setBuffer(buffer);
  const flat = new Float32Array(side * side * 3).map((_, i) =>
    i % 3 === 0 ? Math.floor(i / 3) % side : i % 3 === 1 ? Math.floor(i / 3 / side) : 0);
  const corners = [];
  for (let row = 0; row < side - 1; row++) {
    for (let column = 0; column < side - 1; column++) {
      const first = row * side + column;
      corners.push(first, first + 1, first + side, first + 1, first + side + 1, first + side);
    }
  }
  const faces = document.createPrimitive().setAttribute('POSITION', data('VEC3', flat));
  faces.setIndices(data('SCALAR', new Uint16Array(corners)));
  for (let frame = 0; frame < frames; frame++) {
    const moved = flat.map((_, i) => (i % 3 === 2 ? Math.sin(i * (frame + 1)) : 0));
    faces.addTarget(document.createPrimitiveTarget().setAttribute('POSITION', data('VEC3', moved)));
  }
  const mesh = document.createMesh('face').addPrimitive(faces).setWeights(Array(frames).fill(0));
  const node = document.createNode('face').setMesh(mesh);
  document.createScene().addChild(node);
  const weights = new Float32Array(frames * frames).map((_, i) => (i % (frames + 1) === 0 ? 1 : 0));
  const sampler = document.createAnimationSampler().setInterpolation('LINEAR')
    .setInput(data('SCALAR', Float32Array.from({ length: frames }, (_, frame) => frame / rate)))
    .setOutput(data('SCALAR', weights));
  document.createAnimation().addSampler(sampler).addChannel(document.createAnimationChannel()
    .setTargetNode(node).setTargetPath('weights').setSampler(sampler));
  await io.write('face.glb', document);
}

function lowest(document, rate) { // what the worst frame has of its own shape at its own time
  const sampler = document.getRoot().listAnimations()[0].listSamplers()[0];
  const [times, output] = [sampler.getInput().getArray(), sampler.getOutput()];
  const key = (i, target) => output.getElement(i * frames + target, [])[0];
  return Math.min(...Array.from({ length: frames }, (_, frame) => {
    const time = frame / rate;
    let i = 0;
    while (i < times.length - 2 && times[i + 1] < time) i++;
    const share = Math.min(1, Math.max(0, (time - times[i]) / (times[i + 1] - times[i])));
    return (1 - share) * key(i, frame) + share * key(i + 1, frame);
  }));
}

let same = true;
for (const [rate, expected] of [[24, 0.6], [25, 0.6], [30, 1], [60, 0]]) {
  await write(rate);
  const found = {};
  for (const [name, options] of [['as it is', []], ['-af 0', ['-af', '0']]]) {
    execFileSync('npx', ['gltfpack', '-i', 'face.glb', '-o', 'packed.glb', ...options], { stdio: 'pipe' });
    found[name] = lowest(await io.read('packed.glb'), rate);
  }
  const document = await io.read('face.glb');
  await document.transform(resample(), quantize(), sparse());
  found['gltf-transform'] = lowest(document, rate);
  console.log(`${rate} frames a second: ${Object.entries(found).map(([name, least]) =>
    `${name} ${least.toFixed(2)}`).join(', ')} of its own shape in the worst frame`);
  same &&= Math.abs(found['as it is'] - expected) < 0.03 && found['-af 0'] > 0.98 && found['gltf-transform'] > 0.98;
}
process.exit(same ? 0 : 1);
JS
node pack.mjs
