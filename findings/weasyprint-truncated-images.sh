#!/usr/bin/env bash
# WeasyPrint: importing it makes Pillow read damaged images, for the whole process.
#
# One would guess that a library which writes PDF leaves the way in which other code reads images
# alone. WeasyPrint sets Pillow's global PIL.ImageFile.LOAD_TRUNCATED_IMAGES when it is imported: from
# then on a PNG or JPEG that was cut short opens without an error, its missing part gray or black.
#
# What follows: a program that must tell damaged images from sound ones has to put the flag back after
# importing WeasyPrint (and after anything that imports it).
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --disable-pip-version-check install --quiet weasyprint==70.0 pillow==13.0.0
"$place/venv/bin/python" - <<'PY'
import io
from importlib import metadata

from PIL import Image, ImageFile

whole = io.BytesIO()
Image.effect_noise((64, 64), 80).save(whole, "PNG")
half = whole.getvalue()[: len(whole.getvalue()) // 2]


def read():
    """What Pillow does with an image that was cut in half."""
    try:
        Image.open(io.BytesIO(half)).load()
    except OSError as error:
        return f"refused ({error})"
    return "read without an error"


before = read()
from weasyprint import HTML  # noqa: E402, F401

after = read()
print("WeasyPrint", metadata.version("weasyprint"), "Pillow", metadata.version("pillow"))
print("half an image before the import:", before)
print("half an image after it:         ", after)
assert before.startswith("refused") and after.startswith("read"), "WeasyPrint has changed"
assert ImageFile.LOAD_TRUNCATED_IMAGES is True
PY
echo "as described"
