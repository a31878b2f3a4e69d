#!/usr/bin/env bash
# Pillow turns TIFF by its orientation tag, and only TIFF.
#
# One would guess: Pillow leaves every picture as it is stored, and whoever wants it upright asks for
# ImageOps.exif_transpose or reads tag 274 alone.
# What happens: a TIFF is turned while it is loaded. Its size says so before that, getexif() tells the
# tag until it is loaded and no more afterwards. JPEG, PNG, WebP and AVIF are left as they are stored.
# What follows: who reads the tag first and turns the loaded picture turns a TIFF twice. Load first,
# then read the tag; the size of a TIFF is the upright one from the start.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q pillow==13.0.0
"$place/venv/bin/python" - <<'P'
import io
import PIL
from PIL import Image

print("Pillow", PIL.__version__)
seen = {}
for kind in ("TIFF", "JPEG", "PNG", "WEBP", "AVIF"):
    exif = Image.Exif()
    exif[274] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (60, 40)).save(buffer, kind, exif=exif)
    with Image.open(buffer) as picture:
        before = picture.size, picture.getexif().get(274)
        picture.load()
        after = picture.size, picture.getexif().get(274)
    print(f"{kind}: {before} before loading, {after} after")
    seen[kind] = before, after
turned, stored = ((40, 60), 6), ((60, 40), 6)
assert seen.pop("TIFF") == (turned, ((40, 60), None))
assert set(seen.values()) == {(stored, stored)}
P
