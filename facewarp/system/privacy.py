"""Telemetry of the packages that facewarp uses: switched off before any of them is imported.

ONNX Runtime's official Linux wheels queue an event while they are imported and send it seconds
later; switching that off afterwards is too late. OpenVINO sends events through a package of its
own. `import facewarp` switches both off, so no module of facewarp can be too early; processes that
are started from here, workers and Ray tasks among them, inherit the environment, and import
facewarp themselves.
"""

import os
import sys
from typing import Final

SWITCHES: Final = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime from 1.29 on
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Environment variables that keep packages from reporting."""

OPENVINO_TELEMETRY: Final = "openvino_telemetry"
"""The package that OpenVINO and NNCF report through; they do without where it is missing."""


def silence_telemetry() -> None:
    """Switch off the telemetry of every package that facewarp may import.

    A switch that the user has set is left alone. Where OpenVINO has loaded its telemetry already,
    it is the user's program that chose so.
    """
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    sys.modules.setdefault(OPENVINO_TELEMETRY, None)  # type: ignore[arg-type]
