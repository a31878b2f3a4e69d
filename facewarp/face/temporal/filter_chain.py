"""The chain of temporal filters of one face: eyes and mouth, skin, matte, smoothing."""

from functools import partial

from facewarp.face.details.refinement import DetailRefinement
from facewarp.face.face import FaceFilter
from facewarp.face.occlusion.steady import SteadyMatte
from facewarp.face.template.template import Template
from facewarp.face.temporal.photometric import PhotometricRefinement
from facewarp.face.temporal.photometric_state import PhotometricConfig
from facewarp.face.temporal.smoothing import FaceSmoother, OneEuroFilter, SmoothingConfig


def face_filter(
    template: Template,
    smooth: bool | SmoothingConfig,
    photometric: bool | PhotometricConfig,
    *,
    details: bool,
    sure: float | None = None,
) -> FaceFilter | None:
    """Make what smooths and refines one face from frame to frame; None where nothing does.

    Args:
        template: what it is registered with.
        smooth: whether, or how, it is smoothed.
        photometric: whether, or with which time constants, it is held to the skin.
        details: whether lips and lids are put to where a detail network sees them.
        sure: confidence from which a face is tracked, where mattes are held steady; else None.
    """
    last: FaceFilter | None = None
    config = smooth if isinstance(smooth, SmoothingConfig) else SmoothingConfig()
    if smooth is not False:
        last = FaceSmoother(template, config)
    if sure is not None:
        last = SteadyMatte(template, sure, last)
    if photometric is not False:
        seconds = photometric if isinstance(photometric, PhotometricConfig) else None
        last = PhotometricRefinement(template, last, seconds)
    if not details:
        return last
    new = None if smooth is False else partial(OneEuroFilter, config.details)
    return DetailRefinement(template, last, new)
