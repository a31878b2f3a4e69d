#!/usr/bin/env bash
# What a receiver does with an OSC bundle whose time tag lies ahead of its clock.
#
# One would guess: it plays that bundle when its time comes, and goes on with others meanwhile.
# What happens: python-osc's blocking server sleeps inside the handling of the bundle, so a message
# tagged "immediately" that comes after it waits as long; later ones pile up in the socket.
# What follows: a sender that stamps bundles with its own clock freezes every receiver whose clock is
# behind by that much, though nothing is lost or reported. Live data (landmarks, expressions, VMC) is
# tagged "immediately" and carries its time as a value.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "python-osc==1.10.2"
"$work/venv/bin/python" - <<'PY'
import socket
import sys
import threading
import time

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_server import BlockingOSCUDPServer

came = []
dispatcher = Dispatcher()
dispatcher.map("/frame", lambda _, number: came.append((number, time.monotonic())))
server = BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher)
threading.Thread(target=server.serve_forever, daemon=True).start()
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def send(number, time_tag):
    message = OscMessageBuilder("/frame")
    message.add_arg(number)
    bundle = OscBundleBuilder(time_tag)
    bundle.add_content(message.build())
    peer.sendto(bundle.build().dgram, server.server_address)


began = time.monotonic()
send(1, time.time() + 1.0)
send(2, IMMEDIATELY)
time.sleep(2.5)
for number, at in came:
    print(f"frame {number}: {at - began:.2f} s after it was sent")
sys.exit(0 if len(came) == 2 and all(0.9 < at - began < 1.5 for _, at in came) else 1)
PY
