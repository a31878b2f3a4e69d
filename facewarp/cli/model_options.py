"""Options of commands that run a model: which model, on what, how thoroughly."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from facewarp.face.tracking.options import TrackerOptions

ENGINE_NAMES = "torch, onnx, openvino, openvino-int8"
DETECTOR_NAMES = "openvino, opencv, mediapipe"

Engine = Annotated[
    str,
    typer.Option(metavar="NAME", help=f"What runs the model: auto, {ENGINE_NAMES}."),
]
Detector = Annotated[
    str,
    typer.Option(metavar="NAME", help=f"What runs the face detector: auto, {DETECTOR_NAMES}."),
]
Device = Annotated[str, typer.Option(help="Where the model runs: cpu, cuda, mps.")]
MODEL_HELP = "Model: a shipped name or a weights file."


def known_model(name: Any) -> Any:
    """Refuse a model that is not there, as a callback: before anything large is imported.

    Raises:
        FacewarpError: it is no shipped name, no weights file and no run's folder.
    """
    if name is not None:
        from facewarp.core.weights import find_weights

        find_weights(name)
    return name


ModelName = Annotated[str, typer.Option(help=MODEL_HELP, callback=known_model)]
Smooth = Annotated[
    bool, typer.Option("--smooth/--no-smooth", help="Smooth landmarks of videos over time.")
]
Photometric = Annotated[
    bool,
    typer.Option(
        "--photometric/--no-photometric", help="Hold what is drawn to the skin, frame by frame."
    ),
]


class Switch(StrEnum):
    """Whether something is done."""

    on = "on"
    off = "off"


Occlusion = Annotated[
    Switch,
    typer.Option(
        metavar="on|off", help="Keep hair, hands, glasses and things before the face free."
    ),
]
Details = Annotated[
    Switch,
    typer.Option(
        metavar="on|off",
        help="Put lips and lids to where a network of their own sees them; off takes less time.",
    ),
]
Thorough = Annotated[
    bool,
    typer.Option(
        "--thorough",
        help="Test-time augmentation: four versions of every crop; more exact, slower.",
    ),
]
FieldOfView = Annotated[
    float | None,
    typer.Option(
        min=10.0,
        max=150.0,
        metavar="DEGREES",
        help="Camera's angle of view along the longer side, for the head's pose.",
        show_default="60",
    ),
]
Refine = Annotated[
    bool,
    typer.Option(
        "--refine/--no-refine",
        help="Hearts: refine fields into one invertible motion, or keep the network's.",
        rich_help_panel="Motion",
    ),
]
_MOST_COPIES: Final = 100


def parse_copies(text: str | int) -> int:
    """Parse how many perturbed copies give an interval: none, or two at least."""
    try:
        count = int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no whole number") from None
    if count == 1:
        raise typer.BadParameter("1 copy makes no interval; 2 at least, 8 are a fair number")
    if not 0 <= count <= _MOST_COPIES:
        raise typer.BadParameter(f"{count} is not in the range 0<=x<={_MOST_COPIES}")
    return count


Threads = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Threads of torch.", show_default="torch's own"),
]


@dataclass(frozen=True)
class EngineOptions:
    """What runs the model, and on which device."""

    engine: Engine = "auto"
    device: Device = "cpu"


@dataclass(frozen=True)
class FaceModelOptions:
    """Template and model of a face tracker."""

    template: Annotated[
        str, typer.Option(help="Template to register to: a shipped name or a .npz file.")
    ] = "average"
    # looked for once threads are limited: that imports NumPy
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = "face"
    detector: Detector = "auto"


@dataclass(frozen=True)
class RefinementOptions:
    """What is done with a face beside its registration."""

    smooth: Smooth = True
    photometric: Photometric = True
    occlusion: Occlusion = Switch.on
    details: Details = Switch.on


def tracker_options(
    models: FaceModelOptions,
    refinement: RefinementOptions,
    run: EngineOptions,
    faces: int,
    *,
    thorough: bool = False,
) -> "TrackerOptions":
    """Return the options of a command for the library."""
    from facewarp.face.tracking.options import TrackerOptions

    return TrackerOptions(
        **vars(models),
        **vars(run),
        faces=faces,
        smooth=refinement.smooth,
        photometric=refinement.photometric,
        occlusion=refinement.occlusion is Switch.on,
        details=refinement.details is Switch.on,
        thorough=thorough,
    )
