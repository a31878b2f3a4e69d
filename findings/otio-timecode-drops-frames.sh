#!/usr/bin/env bash
# A timecode of a clip at 30000/1001 read and written again by OpenTimelineIO 0.18.1: from_timecode(...).to_timecode().
#
# One would guess: the text that went in. A timecode tells by ":" or ";" whether it drops numbers, both are read, and at
# 24000/1001 it comes back.
# What happens: "01:00:00:00" comes out as "01:00:03;18". What was read is frame 108,000, rightly; to_timecode, as it is, writes
# drop frames whenever the rate could have them, whatever was read. drop_frame=False gives the text back. One minute is
# 2 numbers off, ten 18, an hour 108.
# What follows: notes, cut lists and effects kept by timecode lie up to 3.6 s an hour beside the pictures in every editor that
# counts without dropping, as most films and streaming masters at 29.97 do, and the ";" is all that tells. Say drop_frame
# in to_timecode, always. (Times of ours are frames and seconds.)
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "opentimelineio==0.18.1"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import opentimelineio
from opentimelineio.opentime import from_timecode

print("OpenTimelineIO", opentimelineio.__version__)
WANTED = {"00:00:59:29": "00:00:59;29", "00:01:00:00": "00:01:00;02", "00:10:00:00": "00:10:00;18", "01:00:00:00": "01:00:03;18"}
ok = True
for text, other in WANTED.items():
    time = from_timecode(text, 30000 / 1001)
    plain, kept = time.to_timecode(), time.to_timecode(time.rate, drop_frame=False)
    film = from_timecode(text.replace(":29", ":23"), 24000 / 1001).to_timecode()
    print(f"{text}: frame {time.to_frames()}, written {plain}, with drop_frame=False {kept}; at 24000/1001 {film}")
    ok &= plain == other and kept == text and film == text.replace(":29", ":23")
dropped = from_timecode("01:00:03;18", 30000 / 1001)
ok &= dropped.to_frames() == 108000 and dropped.to_timecode() == "01:00:03;18"
sys.exit(0 if ok else 1)
PY
