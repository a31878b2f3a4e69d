#!/usr/bin/env bash
# Python's zlib, a .gz of several members unpacked piece by piece: where do the bytes after a member's end stand?
#
# One would guess: in `unused_data`, as its documentation says; and `unconsumed_tail`, "data that was not consumed by the last
# decompress() call because it exceeded the limit", is empty once the end was reached. So what goes on is both together, or
# the tail where there is one.
# What happens: where a call before had reached its limit (max_length), the call that reaches the end leaves the following
# bytes in both. Without a limit, or where no call before reached it, the tail is empty.
# What follows: a reader that joins both takes the next member twice or fails in its middle ("incorrect data check"), and one
# that trusts the tail first may meet the same bytes for ever. It depends on sizes alone: half of the ways to cut the same
# bytes in two below are fine. Files of several members are common: bgzip's, and such as were joined with cat. Once
# `eof` is true look at `unused_data` alone.
set -euo pipefail
python3 - <<'PY'
import gzip
import random
import sys
import zlib

PIECE = 1 << 20
volume = bytes(random.Random(0).choices(range(4), k=6 << 20))


def rests(cut):
    """What stands in both places when the first member ends, and the length of the second member."""
    first, second = (gzip.compress(part, 1) for part in (volume[:cut], volume[cut:]))
    stored, member, limits = first + second, zlib.decompressobj(31), 0
    left, at = stored[:PIECE], PIECE
    while not member.eof:
        member.decompress(left, PIECE)
        if not member.eof:
            limits += bool(member.unconsumed_tail)
            left = member.unconsumed_tail or stored[at : at + PIECE]
            at += PIECE if not member.unconsumed_tail else 0
    return member.unused_data, member.unconsumed_tail, limits


print("Python", sys.version.split()[0], "zlib", zlib.ZLIB_RUNTIME_VERSION)
found = {}
for cut in (5000, 1_000_000, 2_500_000, 3_000_000):
    unused, tail, limits = rests(cut)
    found[cut] = (len(unused) > 0, tail == unused)
    print(f"first member of {cut} bytes, limit reached {limits} times before: unused_data {len(unused)} bytes, "
          f"unconsumed_tail {len(tail)}{', the same' if tail == unused else ''}")
wanted = {5000: (True, False), 1_000_000: (True, False), 2_500_000: (True, True), 3_000_000: (True, True)}
sys.exit(0 if found == wanted else 1)
PY
