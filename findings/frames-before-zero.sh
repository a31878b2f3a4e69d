#!/usr/bin/env bash
# Frames before number 0 (f_-003.png to f_0003.png), by fileseq 3.4.0, pyseq 0.9.3, clique 2.0.0 and FFmpeg 7.0.2.
#
# One would guess: seven files that printf("f_%04d.png") names for -3 to 3, as renderers do for pre-roll, are one sequence of
# seven frames, -3 first.
# What happens: fileseq says so. pyseq and clique make two: one from 0 to 3, and one whose name ends with a minus, which
# counts 1, 2, 3 where time runs -1, -2, -3: played in its order it runs backwards. FFmpeg's f_%04d.png has four frames, and
# with -start_number -3 as many, without a word.
# What follows: renumber before handing a sequence on, or count files. A minus is a digit to printf: -3 of four is -003, and
# 100 frames of pre-roll have names of another length than those after.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q fileseq==3.4.0 pyseq==0.9.3 clique==2.0.0 imageio-ffmpeg==0.6.0 pillow==13.0.0
mkdir "$place/frames"; cd "$place/frames"
"$place/venv/bin/python" - <<'PY'
import os
import subprocess

import clique
import fileseq
import imageio_ffmpeg
import PIL.Image
import pyseq

for number in range(-3, 4):
    PIL.Image.new("RGB", (64, 48), (20 * (number + 3),) * 3).save(f"f_{number:04d}.png")
print(sorted(os.listdir(".")))

by_fileseq = [list(s.frameSet()) for s in fileseq.findSequencesOnDisk(".")]
by_pyseq = [(str(s), s.frames()) for s in pyseq.get_sequences(".")]
by_clique = [(c.head, sorted(c.indexes)) for c in clique.assemble(os.listdir("."))[0]]


def by_ffmpeg(*words):
    told = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *words, "-i", "f_%04d.png", "-f", "framecrc", "-"]
    done = subprocess.run(told, capture_output=True, text=True, check=True)
    return sum(line.startswith("0,") for line in done.stdout.splitlines()), done.stderr.strip()


print("fileseq:", by_fileseq)
print("pyseq:", by_pyseq)
print("clique:", by_clique)
print("FFmpeg:", by_ffmpeg(), "with -start_number -3:", by_ffmpeg("-start_number", "-3"))
assert by_fileseq == [list(range(-3, 4))]
assert sorted(frames for _, frames in by_pyseq) == [[0, 1, 2, 3], [1, 2, 3]]
assert sorted(by_clique) == [("f_", [0, 1, 2, 3]), ("f_-", [1, 2, 3])]
assert by_ffmpeg() == by_ffmpeg("-start_number", "-3") == (4, "")
PY
