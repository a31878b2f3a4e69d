"""Registry of the methods on faces: names, and the files they need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewarp.core.model import load
from facewarp.core.weights import WEIGHTS, file_sha256
from facewarp.errors import FacewarpError, shell_word
from facewarp.training.baselines.faces.dis_flow import dis_flow
from facewarp.training.baselines.faces.flownet import flow_field, published_flownet
from facewarp.training.baselines.faces.networks import FACE_NETWORKS
from facewarp.training.baselines.faces.point_drift import coherent_drift
from facewarp.training.baselines.faces.shape_regression import ShapeRegressor
from facewarp.training.baselines.faces.thin_plate import dense_field, face_mesh
from facewarp.training.baselines.faces.unregistered import rest
from facewarp.training.comparison.base import MethodRegistry, SkippedMethod
from facewarp.training.config.presets import PRESETS
from facewarp.training.evaluation.face_methods import BaselineMethod, FaceMethod, GuidedMethod

POSTS = ("polyaffine", "add", "compose")
OURS = "facewarp"
VARIANTS = tuple(name for name in PRESETS if name.startswith("paper-"))
ALL = (
    *("unregistered", "esr-cpd", "spline-flownet", "flownets", "flownetc", "dis"),
    *("facemesh-tps", *VARIANTS, "paper", "paper+add", "paper+polyaffine", OURS),
)


@dataclass(frozen=True)
class FaceSources:
    """Sources of the methods' learnt parameters.

    Attributes:
        runs: holds the folders of ``facewarp train``: ``helen-PRESET`` and ``baseline-NAME``.
        model: of the method ``facewarp``.
        landmarker: MediaPipe's ``face_landmarker.task``.
        flownet: a published checkpoint of FlowNetS or FlowNetC.
    """

    runs: Path = Path("runs")
    model: str = "face"
    landmarker: Path | None = None
    flownet: Path | None = None


def _check_name(name: str) -> None:
    known = {*ALL, *PRESETS} - {name for name, p in PRESETS.items() if p.model.kind != "face"}
    base, *posts = name.split("+")
    guided = base == OURS or base in PRESETS
    if base not in known or not set(posts) <= set(POSTS) or (posts and not guided):
        fix = f"Give all, or some of {', '.join(ALL)}; presets and {OURS} take "
        fix += f"{', '.join(f'+{post}' for post in POSTS)}."
        raise FacewarpError(f"there is no method {name!r}", "--methods", fix)


def _method(name: str, sources: FaceSources) -> FaceMethod | SkippedMethod:
    base, *posts = name.split("+")
    if base == OURS:
        return _guided(name, sources.model, posts)
    if base in PRESETS:
        path = sources.runs / f"helen-{base}" / WEIGHTS
        if not path.is_file():
            command = (
                f"facewarp train helen --data DIR --preset {base} --out {shell_word(path.parent)}"
            )
            return SkippedMethod.untrained(name, command)
        return _guided(name, path, posts)
    if name == "unregistered":
        return BaselineMethod(name, rest)
    if name == "dis":
        return BaselineMethod(name, dis_flow())
    if name == "facemesh-tps":
        if sources.landmarker is None:
            return SkippedMethod(name, "no landmark model", "--landmarker face_landmarker.task")
        return BaselineMethod(
            name, face_mesh(sources.landmarker), sha256=file_sha256(sources.landmarker)
        )
    if name in ("flownets", "flownetc") and sources.flownet is not None:
        published = published_flownet(sources.flownet)
        if published.config.kind == name:
            size = sum(p.numel() for p in published.parameters())
            flow = partial(flow_field, published)
            return BaselineMethod(f"{name} (published)", flow, size, file_sha256(sources.flownet))
    return _trained(name, sources)


def _trained(name: str, sources: FaceSources) -> FaceMethod | SkippedMethod:
    trained = "esr" if name == "esr-cpd" else name
    path = sources.runs / f"baseline-{trained}" / WEIGHTS
    if not path.is_file():
        command = f"facewarp train baseline {trained} --data DIR --out {shell_word(path.parent)}"
        return SkippedMethod.untrained(name, command)
    if name in FACE_NETWORKS.names:
        net = FACE_NETWORKS.load(path, name)
        size = sum(p.numel() for p in net.parameters())
        return BaselineMethod(name, partial(flow_field, net), size, file_sha256(path))
    regressor = ShapeRegressor.load(path)
    return BaselineMethod(
        name, regress_and_drift(regressor), regressor.parameters, file_sha256(path)
    )


def regress_and_drift(
    regressor: ShapeRegressor,
) -> Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]:
    """Return a method: points of both crops by regression, registered by coherent point drift."""

    def find(fixed: NDArray[np.uint8], moving: NDArray[np.uint8]) -> NDArray[np.float32]:
        drift = coherent_drift(regressor.points(fixed), regressor.points(moving))
        return dense_field(drift)

    return find


def _guided(name: str, model: str | Path, posts: Sequence[str]) -> GuidedMethod:
    combine = next((post for post in posts if post != "polyaffine"), None)
    return GuidedMethod(load(model), name, combine=combine, polyaffine="polyaffine" in posts)


FACE_METHODS = MethodRegistry(ALL, _check_name, _method)
