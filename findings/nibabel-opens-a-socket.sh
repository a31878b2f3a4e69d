#!/usr/bin/env bash
# One would guess that importing nibabel, a reader of medical images, touches no socket.
# What happens: where pydicom and requests are installed, nibabel imports pydicom, pydicom imports
# requests for its test data, requests imports urllib3, and urllib3 tries whether this machine has
# IPv6: it makes an internet socket, binds it to ::1 and closes it. Nothing is sent.
# What follows: a proof of silence has to tell sockets that were bound to this machine alone from
# others, or a program that reads NIfTI fails it by what else is installed beside it.
# Needs Linux and strace.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet nibabel==5.4.2 pydicom==3.0.2

count() {
    strace -f -qq -e trace=socket,bind,connect -o "$place/calls" \
        "$place/venv/bin/python" -c 'import nibabel; print("nibabel", nibabel.__version__)'
    sockets=$(grep -c 'socket(AF_INET' "$place/calls" || true)
    echo "$1: $sockets internet sockets"
    grep -E 'bind|AF_INET' "$place/calls" || true
}

count "without requests";  [[ $sockets -eq 0 ]] || { echo "changed: not requests' doing"; exit 1; }
"$place/venv/bin/python" -m pip install --quiet requests==2.34.2 urllib3==2.8.0
count "with requests";  [[ $sockets -gt 0 ]] || { echo "changed: no socket any more"; exit 1; }
