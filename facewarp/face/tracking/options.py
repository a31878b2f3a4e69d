"""TrackerOptions: what a user asks of a face tracker, by names that can be pickled and stored."""

from dataclasses import dataclass

from facewarp.core.model import Model
from facewarp.face.template.template import Template
from facewarp.face.tracking.track import TrackerConfig
from facewarp.face.tracking.tracker import FaceTracker


@dataclass(frozen=True)
class TrackerOptions:
    """What a user asks of a face tracker; see the arguments of `FaceTracker`.

    Attributes:
        template: a shipped template's name or a `.npz` file.
        model: a shipped model's name or a weights file.
        detector: what runs the face detector, one of `facewarp.face.detector.BACKENDS`.
        engine: what runs the model.
        device: where the model runs.
        faces: how many are followed at once.
        smooth: whether landmarks are smoothed over time.
        photometric: whether faces are held to the skin.
        occlusion: whether effects end behind what hides a face.
        details: whether eyes and mouths are looked at closely.
        thorough: test-time augmentation.
    """

    template: str = "average"
    model: str = "face"
    detector: str = "auto"
    engine: str = "auto"
    device: str = "cpu"
    faces: int = 5
    smooth: bool = True
    photometric: bool = True
    occlusion: bool = True
    details: bool = True
    thorough: bool = False

    def make(
        self,
        *,
        template: Template | None = None,
        model: Model | None = None,
        config: TrackerConfig | None = None,
        in_pipeline: bool = False,
        threaded_search: bool = False,
    ) -> FaceTracker:
        """Make the tracker.

        Args:
            template: in place of the one named, if it is loaded already.
            model: in place of the one named, if it is loaded already.
            config: thresholds; those of a live session without.
            in_pipeline: it works beside decoding, drawing and encoding.
            threaded_search: search for small faces in a thread of its own.

        Raises:
            FacewarpError: there is no such template, model, engine or detector.
        """
        return FaceTracker(
            template or self.template,
            model or self.model,
            faces=self.faces,
            device=self.device,
            engine=self.engine,
            config=config,
            detector=self.detector,
            smooth=self.smooth,
            photometric=self.photometric,
            threaded_search=threaded_search,
            in_pipeline=in_pipeline,
            occlusion=self.occlusion,
            thorough=self.thorough,
            details=self.details,
        )
