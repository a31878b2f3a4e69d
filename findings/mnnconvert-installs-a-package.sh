#!/usr/bin/env bash
# An ONNX model converted by mnnconvert of MNN 3.6.1 (pip), inside an environment of its own.
#
# One would guess: a converter reads one file and writes another. It uses the network no more than a compiler does, and
# what it needs was installed with it.
# What happens: before it converts it runs "pip install -U aliyun-log-python-sdk", by the first pip of PATH, which need not be
# that of its own environment: called by its path, as scripts and tests do, it installs into whatever Python the user's PATH
# has, and changes packages there (of one here typing_extensions, protobuf and anyio). Where that package can be
# imported, it asks a server of its makers for an account to log to, before every conversion; mnnquant likewise.
# No option and no variable switches it off. Without a network a model is converted all the same.
# What follows: convert without a network (unshare -n) and with a "pip" that does nothing first in PATH, or call the converter
# itself: python -c 'import _tools; _tools.mnnconvert([...])', which does neither.
# Runs without a network, stand-ins catch both. Needs Linux, root or user namespaces.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "MNN==3.6.1" "onnx==1.23.2" "numpy==2.4.6"
isolated=(unshare -n); "${isolated[@]}" true 2> /dev/null || isolated=(unshare -r -n)
cd "$work"
mkdir shims stand-ins stand-ins/aliyun
printf '#!/bin/sh\necho "$@" >> %s/pip-calls\n' "$work" > shims/pip; chmod +x shims/pip
venv/bin/python - <<'PY'
import onnx
from onnx import TensorProto, helper

ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 8, 8]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "graph", ends[:1], ends[1:])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), "model.onnx")
PY
convert=("$work/venv/bin/mnnconvert" -f ONNX --modelFile model.onnx --MNNModel model.mnn --bizCode faces)

PATH="$work/shims:$PATH" "${isolated[@]}" "${convert[@]}" > /dev/null 2>&1
calls=$(sort -u pip-calls)
echo "pip was called, $(wc -l < pip-calls) times: $calls"
[[ "$calls" == "install -U aliyun-log-python-sdk" && -s model.mnn ]] || { echo "changed"; exit 1; }

# Stand-ins for the package and for the request: nothing leaves this machine.
mkdir stand-ins/aliyun/log
rm pip-calls
touch stand-ins/aliyun/__init__.py
echo 'LogClient = PutLogsRequest = None' > stand-ins/aliyun/log/__init__.py
echo 'LogItem = None' > stand-ins/aliyun/log/logitem.py
cat > stand-ins/sitecustomize.py <<'PY'
import urllib.request


def urlopen(request, *_, **__):
    with open("requests", "a") as file:
        file.write(".".join(request.host.split(".")[-2:]) + "\n")
    raise OSError


urllib.request.urlopen = urlopen
PY
PATH="$work/shims:$PATH" PYTHONPATH="$work/stand-ins" "${isolated[@]}" "${convert[@]}" > /dev/null 2>&1
echo "with that package there, it asks: $(cat requests)"
[[ ! -e pip-calls && "$(sort -u requests)" == aliyuncs.com ]] || { echo "changed: nothing is asked"; exit 1; }
rm model.mnn requests
PATH="$work/shims:$PATH" PYTHONPATH="$work/stand-ins" "${isolated[@]}" venv/bin/python -c 'import sys, _tools; _tools.mnnconvert(sys.argv[1:])' "${convert[@]}" \
    > /dev/null 2>&1
[[ -s model.mnn && ! -e pip-calls && ! -e requests ]] || { echo "changed: the way round"; exit 1; }
echo "called as _tools.mnnconvert: converted, nothing installed, nothing asked"
