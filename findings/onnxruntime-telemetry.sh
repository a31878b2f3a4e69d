#!/usr/bin/env bash
# One would guess that importing ONNX Runtime on Linux computes and no more, that
# disable_telemetry_events() keeps it so, and that a test which replaces Python's socket notices.
# What happens: the official Linux wheels from 1.29 on queue an event while they are imported, and
# some seconds later look a name up and open internet sockets from a thread in C++; an id stays in
# the user's cache folder. Calling disable_telemetry_events() after the import is too late.
# ORT_DISABLE_TELEMETRY=1 set before the import stops all of it, and CI=true hides it.
# What follows: set ORT_DISABLE_TELEMETRY=1 before anything imports onnxruntime, and test by system
# calls, with CI unset. Runs without a network (unshare -n); needs Linux, root or user namespaces,
# and strace.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet onnxruntime==1.32.0
isolated=(unshare -n); "${isolated[@]}" true 2> /dev/null || isolated=(unshare -r -n)

count() {  # NAME, then settings: internet sockets, and files left in the home folder
    local name=$1; shift
    mkdir "$place/$name"
    env -u CI HOME="$place/$name" XDG_CACHE_HOME="$place/$name/.cache" "$@" "${isolated[@]}" \
        strace -f -qq -e trace=socket -o "$place/$name.calls" "$place/venv/bin/python" -c \
        'import time, onnxruntime as o; o.disable_telemetry_events(); time.sleep(15)'
    sockets=$(grep -c 'socket(AF_INET' "$place/$name.calls" || true)
    files=$(find "$place/$name" -type f | wc -l)
    echo "$name: $sockets internet sockets, $files files in the home folder"
}

"$place/venv/bin/python" -c 'import onnxruntime; print("onnxruntime", onnxruntime.__version__)'
count as-it-is;  [[ $sockets -gt 0 && $files -gt 0 ]] || { echo "changed: silent by itself"; exit 1; }
count in-ci CI=true;  [[ $sockets -eq 0 ]] || { echo "changed: CI no longer hides it"; exit 1; }
count switched-off ORT_DISABLE_TELEMETRY=1
[[ $sockets -eq 0 && $files -eq 0 ]] || { echo "changed: the switch no longer helps"; exit 1; }
