"""FaceTracker: detect, register and track the faces of successive frames."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from facewarp.core.model import Model
from facewarp.errors import FacewarpError
from facewarp.face.boxes import Box, center_of, overlap, side_of
from facewarp.face.crop import Crop
from facewarp.face.details.refinement import DetailRefinement
from facewarp.face.detector import Detection, FaceDetector
from facewarp.face.face import Face, FaceFilter
from facewarp.face.image_formats import check_picture
from facewarp.face.template.template import Template
from facewarp.face.temporal.filter_chain import face_filter
from facewarp.face.temporal.photometric import PhotometricRefinement
from facewarp.face.temporal.photometric_state import PhotometricConfig
from facewarp.face.temporal.smoothing import SmoothingConfig
from facewarp.face.tracking.face_search import FaceSearch, SearchAhead, expected_box
from facewarp.face.tracking.identities import Identities
from facewarp.face.tracking.registration import FaceRegistrar, crop_around
from facewarp.face.tracking.track import Track, TrackerConfig, is_among
from facewarp.system.closing import Closing

_log = logging.getLogger(__name__)

_FRAME_S = 1 / 25  # between frames that come without a time
_GROWTH = 1.35  # of a face from one frame of a file to the next


class FaceTracker(Closing):
    """Track faces in live frames, videos and images.

    A face is followed from frame to frame by its own landmarks. The detector is asked only for
    faces not followed yet, and about those that have come to fit the template badly.

    A tracker is one clip's: give every clip, thread and process its own, or `reset` it between
    clips. They may share a `Model`.

    Args:
        template: a shipped template's name, a ``.npz`` file or a `Template`.
        model: a shipped model's name, a weights file or a `Model`.
        faces: how many faces to follow; None for what ``config`` says.
        device: where the model runs.
        engine: what runs the model, see `factory.make_engine`; a model that
            is given keeps its own.
        config: further settings.
        detector: a detector to share, or what runs one of the tracker's own, one of
            `facewarp.face.detector.BACKENDS`; None is "auto".
        smooth: whether, or how, faces are held steady from frame to frame; pictures that belong
            to no video come out best without.
        photometric: whether, or with which time constants, faces are held to the skin that the
            frames show, see `temporal.photometric`; for the frames of a video.
        threaded_search: search for small faces in a thread of its own, so that no frame waits the
            third of a second that it takes: for cameras. What is found when then depends on the
            machine.
        in_pipeline: the tracker works beside decoding, drawing and encoding: its engine takes no
            more than its share of the cores, and gets ready in a thread.
        occlusion: find what hides the faces, see `facewarp.face.occlusion`: effects then end
            behind it, and a hand that passes is no other person. None finds it where
            ``photometric`` is asked for, as `facewarp track` and `live` do.
        thorough: look at every face four times, mirrored and from nearer, for what need not be
            quick, see `tracking.augmented_inference`.
        details: look at eyes and mouths closely, see `facewarp.face.details`, where the model has
            a detail network.

    Attributes:
        template: what faces are registered with.
        model: what registers them.
        config: the settings.
        seconds: how long the last call took to ``"detect"`` and to ``"register"``.
        most_seen: how many faces were seen at once since the last `reset`, followed or not.

    Raises:
        FacewarpError: no such template or model, or no face to follow.

    Example:
        >>> with facewarp.FaceTracker(template="average") as tracker:
        ...     faces = tracker(image, time=0.0)
    """

    def __init__(
        self,
        template: str | Path | Template = "average",
        model: str | Path | Model = "face",
        *,
        faces: int | None = None,
        device: str = "cpu",
        engine: str = "auto",
        config: TrackerConfig | None = None,
        detector: FaceDetector | str | None = None,
        smooth: bool | SmoothingConfig = False,
        photometric: bool | PhotometricConfig = False,
        threaded_search: bool = False,
        in_pipeline: bool = False,
        occlusion: bool | None = None,
        thorough: bool = False,
        details: bool = True,
    ) -> None:
        config = config or TrackerConfig()
        if occlusion is None:
            occlusion = photometric is not False
        self.config = config if faces is None else replace(config, faces=faces)
        if self.config.faces < 1 or self.config.faces % 1:
            raise FacewarpError(f"a tracker follows at least one face, not {self.config.faces!r}")
        self._fitter = FaceRegistrar(
            template, model, device, self.config.sure, engine, thorough, details, occlusion
        )
        self.template = self._fitter.template
        self.model = self._fitter.model
        self._warming: list[Thread] = []
        if in_pipeline:
            self._fitter.share_cores()
            self._warming.append(self._fitter.warm_up())
        self._owns_detector = detector is None or isinstance(detector, str)
        if detector is None or isinstance(detector, str):
            detector = FaceDetector(backend=detector or "auto")
        self._detector = detector
        if in_pipeline:
            self._warming.append(Thread(target=self._warm_detector, name="facewarp-detector"))
            self._warming[-1].start()
        self._smooth, self._photometric, self._occlusion = smooth, photometric, occlusion
        self._search = FaceSearch(self._detector, self.config, threaded=threaded_search)
        self._identities = Identities(self.config.faces, self.template.landmarks, self._smoother)
        self.seconds = {"detect": 0.0, "register": 0.0}
        self.most_seen = 0
        self._time: float | None = None

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a FaceTracker holds threads and follows one clip: it can't be copied or pickled; make "
            "one in each process (models, templates and faces can be sent there)"
        )

    def __call__(self, image: NDArray[np.generic], time: float | None = None) -> list[Face]:
        """Find and register the faces of the next frame.

        Args:
            image: H x W [x 1, 3 or 4] frame, RGB where it has color: uint8, uint16 over their
                whole range, or floats of 0..1.
            time: the frame's time in seconds; a step back starts anew. Without it, frames count
                as 1/25 s apart.

        Returns:
            The faces followed, lost ones included, by id; at most ``config.faces``.

        Raises:
            FacewarpError: the image is of another shape or type, or the time no number.
        """
        if time is None:
            time = 0.0 if self._time is None else self._time + _FRAME_S
        if not math.isfinite(time):
            raise FacewarpError(f"a frame's time is {time:g}", fix="Give seconds.")
        if self._time is not None and time < self._time:
            self.reset()
        self._time = time
        self.seconds = {"detect": 0.0, "register": 0.0}
        self._search.seconds = 0.0
        self._identities.begin_frame()
        check_picture(image)
        self._follow(image, time)
        self._welcome(image, time)
        self.seconds["detect"] = self._search.seconds
        self._identities.forget(time, self.config.remember_s)
        return self._identities.faces

    @property
    def entered(self) -> list[int]:
        """Ids of the faces that the last frame found, anew or again."""
        return self._identities.entered

    @property
    def withdrawn(self) -> dict[int, tuple[Face, float]]:
        """Ids that had come to follow another face: the last face that is surely theirs, and when.

        As the last frame showed; what bore the id in frames after that time is somebody else.
        """
        return self._identities.withdrawn

    def warm_up(self, size: tuple[int, int], *, batches_later: bool = False) -> Face:
        """Get detector, engine and smoothing ready, so that no frame has to wait for that.

        Args:
            size: (width, height) px of the frames to come.
            batches_later: leave out what several faces at once need: tens of MB of memory.

        Returns:
            A face of a black frame: what a renderer is got ready with.
        """
        blank = np.zeros((size[1], size[0], 3), np.uint8)
        self._detector.detect(blank)
        crop = Crop.around((size[0] / 2, size[1] / 2), min(size) / 2)
        for count in (1, 2, 4):  # what engines prepare apart, see `openvino_engine.BATCHES`
            if count == 1 or (count <= self.config.faces and not batches_later):
                face = self._fitter.register_refined(blank, [crop] * count)[0]
        smoother = self._smoother()
        if smoother is not None:
            smoother(face, 0.0)
            smoother(face, _FRAME_S)
        return face

    def reset(self) -> None:
        """Forget every face; ids start from 0 again."""
        self._identities.reset()
        self.most_seen, self._time = 0, None
        self._search.reset()

    def take_over(self, other: "FaceTracker") -> None:
        """Take over another tracker's tracks; smoothing starts anew, skin is followed on."""
        self.reset()
        self._identities.take_over(other._identities)
        if self.template is other.template:
            tracks = zip(self._identities.tracks, other._identities.tracks, strict=True)
            for mine, theirs in tracks:
                if isinstance(mine.smoother, PhotometricRefinement | DetailRefinement):
                    mine.smoother.take_over(theirs.smoother)
        self._time = other._time
        self._search.take_over(other._search)

    def register(self, image: NDArray[np.generic], crop: Crop) -> Face:
        """Register a crop to the template without tracking."""
        face = self._fitter.register(image, [crop])[0]
        return DetailRefinement(self.template)(face, 0.0)

    @contextmanager
    def searching_ahead(self) -> Iterator[SearchAhead]:
        """Let thorough searches begin early, while this lasts: for frames that are decoded ahead.

        Yields:
            What is shown each frame of the clip as soon as it is decoded, in any thread.
        """
        with self._search.begun_ahead() as ahead:
            yield ahead

    @property
    def searches_ahead(self) -> bool:
        """Whether searches begin early, see `searching_ahead`."""
        return self._search.is_ahead

    @property
    def looked(self) -> float:
        """Time of the last frame that was looked over for further faces; -inf before the first."""
        return self._search.looked

    def sees_others_ahead(
        self, image: NDArray[np.generic], time: float, faces: Sequence[Face]
    ) -> bool:
        """Whether the search of a later frame will find others than faces that are followed now.

        Args:
            image: that frame.
            time: of that frame.
            faces: those followed now, taken to be about where they are until then.

        Returns:
            False where it finds none; True where it does, or has not begun early.
        """
        return self._search.sees_others_ahead(image, time, [face.box for face in faces])

    def search_soon(self) -> None:
        """Search the next frame for small faces, whatever the time since the last search."""
        self._search.soon()

    def register_before(
        self, image: NDArray[np.generic], face: Face, others: Sequence[Box]
    ) -> Face | None:
        """Register a face in the frame before the one it is known from.

        Args:
            image: that frame.
            face: as registered in the frame after it.
            others: boxes of the faces that are followed in that frame already.

        Returns:
            The face, with the same id; None where it is not there, or is one of the others.
        """
        found = self._fitter.register_refined(image, [crop_around(face.landmarks)])[0]
        if found.confidence < self.config.unsure:
            seen = self._search.near(image, face.box, others)
            if seen is None:
                return None
            found = max(found, self._approach(image, seen), key=lambda face: face.confidence)
        apart = np.linalg.norm(center_of(found.box) - center_of(face.box))
        sides = side_of(found.box), side_of(face.box)
        is_near = overlap(found.box, face.box) > 0 and apart < side_of(face.box)
        is_same = is_near and max(sides) < _GROWTH * min(sides)
        if found.confidence < self.config.gone or not is_same or is_among(found.box, others):
            return None
        return found.changed(id=face.id)

    def smooth_from(
        self, before: Sequence[tuple[Face, float]], face: Face, time: float
    ) -> list[Face]:
        """Smooth a face that is followed from earlier frames on, and go on from there.

        Args:
            before: the face as registered in earlier frames, and their times, in order.
            face: as registered in the last frame.
            time: of that frame.

        Returns:
            The faces smoothed, the last one among them.
        """
        track = next(t for t in self._identities.tracks if t.face.id == face.id)
        track.smoother = self._smoother()
        if track.smoother is None:
            return [*(old for old, _ in before), face]
        smoothed = [track.smoother(one, at) for one, at in (*before, (face, time))]
        track.face = smoothed[-1]
        return smoothed

    def close(self) -> None:
        """End the tracker's threads, and free the detector if it is the tracker's own."""
        for thread in self._warming:
            thread.join()
        self._search.close()
        if self._owns_detector:
            self._detector.close()

    def _warm_detector(self) -> None:
        try:
            self._detector.warm_up()
        except Exception as error:  # noqa: BLE001 - whoever needs the detector gets it again
            _log.debug("warming up: %s", error)

    def _follow(self, image: NDArray[np.generic], time: float) -> None:
        """Register the tracked faces, each at its predicted position."""
        tracks, identities = self._identities.followed, self._identities
        doubtful, strangers = [], []
        with self._registering():
            crops = [track.next_crop() for track in tracks]
            faces = self._fitter.register_refined(image, crops)
            pairs = list(zip(tracks, faces, strict=True))
            for track, face in pairs:
                track.memory.watch(face.gray, face.crop, time)
            sure = [pair for pair in pairs if pair[1].confidence >= self.config.unsure]
            exchanged = identities.exchanged(sure, image)
            for track, face in pairs:
                if face.confidence < self.config.unsure:
                    doubtful.append((track, face))
                elif any(track is other for other in exchanged) or identities.is_exchanged(
                    track, face, image, time
                ):
                    strangers.append(face)
                    identities.withdraw(track)
                else:
                    track.missed, track.confirmed = 0, time
                    track.move(face, time)
            if strangers:  # the same cut: who looks like another was exchanged too
                for track, face in pairs:
                    if track.memory.doubted and not track.lost and track.seen == time:
                        strangers.append(face)
                        identities.withdraw(track)
        for track, face in doubtful:
            stranger = self._question(track, face, image, time)
            strangers += [] if stranger is None else [stranger]
        if strangers:
            identities.note_cut(time)
            self._search.look_at_once()
        identities.lose_duplicates()
        identities.take_all(strangers, image, time)

    def _question(
        self,
        track: Track,
        face: Face,
        image: NDArray[np.generic],
        time: float,
    ) -> Face | None:
        """Keep an uncertain track where the detector confirms it, or for a while.

        Returns:
            Another face that a cut put near where the track's was, which is lost then.
        """
        seen = self._search.near(image, track.face.box, self._identities.boxes(but=track))
        track.missed = 0 if seen else track.missed + 1
        is_gone = track.missed >= self.config.patience or (
            track.missed > 0 and time - track.confirmed >= self.config.patience_s
        )
        if seen:
            track.confirmed = time
            face = max(face, self._approach(image, seen), key=lambda face: face.confidence)
            is_sure = face.confidence >= self.config.sure
            if is_sure and self._identities.is_another(track, face, image):
                track.lose()
                return face
        if face.confidence < self.config.gone or is_gone:
            track.lose()
        else:
            track.move(face, time)
        return None

    def _welcome(self, image: NDArray[np.generic], time: float) -> None:
        """Begin to track the faces that are not tracked yet, while more may be."""
        followed = self._identities.boxes()
        is_full, left_out = len(followed) >= self.config.faces, 0
        is_due = not is_full or self._search.counts(time)
        for detection in self._search.look(image, followed, time) if is_due else ():
            if is_among(expected_box(detection), followed):
                continue
            if len(followed) >= self.config.faces:
                left_out += 1
                continue
            face = self._approach(image, detection)
            least = self.config.sure if followed else self.config.gone  # a further face is no need
            if face.confidence >= least and not is_among(face.box, followed):
                self._identities.take(face, image, time)
                followed.append(face.box)
        if not followed:
            followed += self._welcome_cut_off(image, time)
        self.most_seen = max(self.most_seen, len(followed) + left_out)

    def _welcome_cut_off(self, image: NDArray[np.generic], time: float) -> list[Box]:
        """Begin to track a face larger than the frame, if the registration is sure of it."""
        detection = self._search.cut_off(image, time)
        face = None if detection is None else self._approach(image, detection)
        if face is None or face.confidence < self.config.sure:
            return []
        self._identities.take(face, image, time)
        return [face.box]

    def _approach(self, image: NDArray[np.generic], detection: Detection) -> Face:
        """Register the face of a detection."""
        center, side = detection.square()
        crop = Crop.around(center, side, roll=detection.roll)
        with self._registering():
            return self._fitter.register_refined(image, [crop])[0]

    def _smoother(self) -> FaceFilter | None:
        """Return what smooths and refines one face, if anything is to."""
        sure = self.config.sure if self._occlusion else None
        return face_filter(
            self.template,
            self._smooth,
            self._photometric,
            details=self._fitter.sees_details,
            sure=sure,
        )

    @contextmanager
    def _registering(self) -> Iterator[None]:
        """Measure the time of registration."""
        began = perf_counter()
        yield
        self.seconds["register"] += perf_counter() - began
