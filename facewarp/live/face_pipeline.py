"""Track faces in live frames and render an effect."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewarp.core.model import Model
from facewarp.errors import FacewarpError
from facewarp.face.boxes import side_of
from facewarp.face.crop import Crop
from facewarp.face.effects.base import drawn_with_layer
from facewarp.face.effects.factory import Effect, make_effect, note_of
from facewarp.face.effects.options import BlendName, MatchName, StyleMode, takes
from facewarp.face.effects.style import StyleFace
from facewarp.face.expressions.expression_tracker import Expression, ExpressionTracker
from facewarp.face.face import Face
from facewarp.face.rendering.textures import check_texture
from facewarp.face.template.template import Template
from facewarp.face.template_building.from_photo import OwnFace, find_face
from facewarp.face.tracking.record import record_of
from facewarp.face.tracking.registration import FaceRegistrar, crop_around
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.live.catalog import OWN_STYLE, OWN_TEXTURE, PICTURE, SNAPSHOT, Catalog
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.settings import LiveSettings
from facewarp.media.frames import Frame
from facewarp.system.closing import Closing

_REMEMBER_S = 5.0  # how long a face can still be made the template after it was seen


@dataclass(frozen=True, eq=False)
class _Config:
    """How frames are processed; replaced as a whole.

    Attributes:
        expressions: what computes expressions, if anything does.
    """

    settings: LiveSettings
    tracker: FaceTracker
    effect: Effect
    expressions: ExpressionTracker | None


@dataclass(frozen=True, eq=False)
class _Tracked:
    """A frame whose faces are tracked, how it is processed and how long parts of that took."""

    frame: Frame
    config: _Config
    faces: list[Face]
    seconds: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class _LastGoodFrame:
    """The last frame in which a face was tracked with confidence."""

    image: NDArray[np.uint8]
    time: float
    face: Face
    clock: float


class FacePipeline(Closing):
    """Track faces in live frames and render an effect; settings may change while frames run.

    Implements `Controls`. Frames are tracked in one thread and drawn in the same or another one, in
    order; everything else may be called from any thread meanwhile. A change is prepared in the
    calling thread, so that no frame waits for it, and takes effect with the next frame. A change
    that is not possible raises FacewarpError and leaves all as it was.

    Args:
        effect: name of the effect, see `LiveSettings`.
        texture: a shipped name or a file; None for `DEFAULT_TEXTURE`.
        blend: how textures meet the frame; None for what each asks for.
        match: what of the frame textures take on; None for "full".
        opacity: 0..1; None for 1.
        smoothing: smooth landmarks over time.
        photometric: hold what is drawn to the skin, see `facewarp.face.temporal.photometric`.
        occlusion: draw behind what hides a face, see `facewarp.face.occlusion`.
        details: look at eyes and mouths closely, see `facewarp.face.details`.
        mirror: mirror the preview.
        template: a shipped name, a `.npz` file or a `Template`.
        model: a shipped name, a weights file or a `Model`.
        faces: how many faces to track at most; None for the tracker's default.
        device: where the model runs.
        engine: what runs it.
        detector: what runs the face detector, one of `facewarp.face.detector.BACKENDS`.
        further: effects made already that may be chosen by these names beside the others; their
            opacity does not change.
        tags: whether each face is tagged with its id, state and confidence.
        style: a shipped name or a style registered already; None for `DEFAULT_STYLE`.
        style_mode: what of it is transferred.
        field_of_view: of the camera along the longer side, degrees; None if no expressions are
            asked for, which then take no time.

    Raises:
        FacewarpError: no such effect, texture, template or model.
    """

    def __init__(
        self,
        *,
        effect: str = "labels",
        texture: str | Path | None = None,
        blend: BlendName | None = None,
        match: MatchName | None = None,
        opacity: float | None = None,
        smoothing: bool = True,
        photometric: bool = True,
        occlusion: bool = True,
        details: bool = True,
        mirror: bool = False,
        template: str | Path | Template = "average",
        model: str | Path | Model = "face",
        faces: int | None = None,
        device: str = "cpu",
        engine: str = "auto",
        detector: str = "auto",
        further: Mapping[str, Effect] | None = None,
        tags: bool = False,
        style: str | StyleFace | None = None,
        style_mode: StyleMode = "full",
        field_of_view: float | None = None,
    ) -> None:
        self._catalog = Catalog(template, texture, further, style)
        name, texture_name, style_name = self._catalog.names
        strength = 1.0 if opacity is None else opacity
        settings = LiveSettings(
            effect,
            texture_name,
            strength,
            smoothing,
            mirror,
            name,
            style=style_name,
            style_mode=style_mode,
        )
        settings.check(self.choices())
        self._options: dict[str, Any] = {
            "faces": faces,
            "photometric": photometric,
            "occlusion": occlusion,
            "details": details,
            "device": device,
            "engine": engine,
            "detector": detector,
        }
        self._tags, self._field_of_view = tags, field_of_view
        self._blend, self._match = blend, match
        self._expressions: ExpressionTracker | None = None
        self._model = model
        tracker = self._make_tracker(settings)
        self._model = tracker.model
        self._fitter: FaceRegistrar | None = None
        self._changing = threading.RLock()
        self._config = self._configured(settings, tracker)
        self._tracker = tracker
        self._retired: list[FaceTracker] = []
        self._closing = ThreadPoolExecutor(1, "facewarp-retire")  # it may wait for a search to end
        self._last_good: _LastGoodFrame | None = None
        self._is_closed = False
        self._layer_wanted = False

    def __call__(self, frame: Frame) -> ProcessedFrame:
        """Track the faces of the next frame and render the effect."""
        return self.draw(self.track(frame))

    def track(self, frame: Frame) -> _Tracked:
        """Track the faces of the next frame."""
        config = self._config
        if config.tracker is not self._tracker:
            config.tracker.take_over(self._tracker)
            self._tracker = config.tracker
            self._close_retired(but=config.tracker)
        faces = config.tracker(frame.image, frame.time)
        return _Tracked(frame, config, faces, config.tracker.seconds)

    def draw(self, tracked: _Tracked) -> ProcessedFrame:
        """Render the effect on a frame whose faces are tracked; in another thread if need be."""
        frame, config, faces = tracked.frame, tracked.config, tracked.faces
        began = perf_counter()
        told: Sequence[Expression] = ()
        if config.expressions is not None:
            told = config.expressions(frame.image, faces, frame.time)
        template, layer = config.tracker.template, None
        if self._layer_wanted:
            picture, layer = drawn_with_layer(config.effect, frame.image, faces, template)
        else:
            picture = config.effect(frame.image, faces, template)
        seconds = {**tracked.seconds, "render": perf_counter() - began}
        self._remember(frame, faces)
        records = [record_of(frame, face) for face in faces]
        mirror = config.settings.mirror
        return ProcessedFrame(picture, records, seconds, faces, told, mirror, layer)

    def warm_up(self, size: tuple[int, int] = (1280, 720)) -> None:
        """Prepare what the first frame would wait for; call it before frames come.

        Args:
            size: (width, height) px of the frames to come.
        """
        config = self._config
        self._tracker.model.engine.compile_aside(True)
        face = config.tracker.warm_up(size, batches_later=True)
        config.effect(np.zeros((size[1], size[0], 3), np.uint8), [face], config.tracker.template)

    @property
    def note(self) -> str | None:
        """What the metadata of recordings must say, whichever effect is on; None if nothing."""
        made = (*self._catalog.further.values(), self._config.effect)
        notes = filter(None, map(note_of, made))
        return " ".join(dict.fromkeys(notes)) or None

    def settings(self) -> dict[str, Any]:
        """Return the settings: the fields of `LiveSettings`."""
        return asdict(self._config.settings)

    def choices(self) -> dict[str, Sequence[str]]:
        """Return what may be chosen, see `Catalog.choices`."""
        return self._catalog.choices()

    def change(self, **settings: Any) -> None:
        """Change some settings, from the next frame on.

        Raises:
            FacewarpError: there is no such setting, or it can't be that; nothing is changed.
        """
        with self._changing:
            known = {field.name for field in fields(LiveSettings)}
            if unknown := set(settings) - known:
                raise FacewarpError(
                    f"there is no setting {min(unknown)!r}", fix=f"Settings: {', '.join(known)}."
                )
            if "texture" in settings and settings["texture"] != self._config.settings.texture:
                settings.setdefault("makeup", "")  # the changes were to another look
            wanted = replace(self._config.settings, **settings)
            wanted.check(self.choices())
            self._catalog.check_makeup(wanted.texture, wanted.makeup)
            if wanted != self._config.settings:
                self._apply(wanted)

    def snapshot_template(self) -> str:
        """Make the last face seen the template; return a message to display.

        Its landmarks are transferred from the first template, and so stay where they are.

        Raises:
            FacewarpError: no face was tracked with confidence in the last seconds.
        """
        last = self._last_good
        if last is not None and perf_counter() - last.clock > _REMEMBER_S:
            last = self._last_good = None  # no frame has come since
        if last is None:
            raise FacewarpError("no face is seen", fix="Look into the camera.")
        return self._take(SNAPSHOT, last.image, crop_around(last.face.landmarks))

    def snapshot_neutral(self) -> str:
        """Count the expression values of the face seen last from how it is now.

        Raises:
            FacewarpError: no face was seen, or nothing is sent that has expressions.
        """
        expressions = self._config.expressions
        if expressions is None:
            fix = "Give --send vmc://, osf://, ifacialmocap://, osc:// or json://HOST:PORT."
            raise FacewarpError("no expressions are computed", fix=fix)
        if expressions.set_neutral() is None:
            raise FacewarpError("no face is seen", fix="Look into the camera.")
        return "this face is neutral"

    def forget(self) -> None:
        """Forget the face seen last: whoever it was has left."""
        self._last_good = None
        if self._expressions is not None:
            self._expressions.forget()

    def want_layer(self, wanted: bool) -> None:
        """See `Controls.want_layer`."""
        self._layer_wanted = wanted

    def upload_template(self, image: NDArray[np.uint8]) -> str:
        """Make the largest face of an image (H, W, 3) the template; return a message.

        Raises:
            FacewarpError: there is no face, or none registered with confidence.
        """
        return self._take(PICTURE, image, find_face(image))

    def upload_texture(self, rgba: NDArray[np.uint8]) -> str:
        """Apply a texture (h, w, 3 or 4) uint8, made for the first template; return a message.

        Raises:
            FacewarpError: it is of another kind or aspect; see
                `textures.check_texture`.
        """
        with self._changing:
            before = self._catalog.put_texture(check_texture(rgba))
            try:
                worn = replace(
                    self._config.settings, effect="texture", texture=OWN_TEXTURE, makeup=""
                )
                self._apply(worn)
            except BaseException:
                self._catalog.put_texture(before)
                raise
        return "wearing your texture"

    def upload_style(self, image: NDArray[np.uint8]) -> str:
        """Apply the style of the largest face of an image (H, W, 3); return a message.

        Raises:
            FacewarpError: there is no face, or none seen well enough.
        """
        face = replace(StyleFace.of(image, self._config.tracker.model), name=OWN_STYLE)
        with self._changing:
            before = self._catalog.put_style(face)
            try:
                self._apply(replace(self._config.settings, effect="style", style=OWN_STYLE))
            except BaseException:
                self._catalog.put_style(before)
                raise
        return f"style taken, {face.confidence:.0%} sure"

    def close(self) -> None:
        """Free the trackers; no frame may be under way. Idempotent."""
        with self._changing:
            if self._is_closed:
                return
            self._is_closed = True
            self._tracker.model.engine.compile_aside(False)
            self._retired += {self._config.tracker, self._tracker}
            self._close_retired()
            self._closing.shutdown()

    def _take(self, name: str, picture: NDArray[np.uint8], near: Crop) -> str:
        """Make the face near a crop of an image the template."""
        with self._changing:
            tracker = self._config.tracker
            if self._fitter is None:
                sure = tracker.config.sure
                self._fitter = FaceRegistrar(self._catalog.first, tracker.model, "cpu", sure)
            face = OwnFace.taken(name, picture, near, self._fitter)
            before = self._catalog.put_template(name, face)
            try:
                self._apply(replace(self._config.settings, template=name), anew=True)
            except BaseException:
                self._catalog.put_template(name, before)
                raise
        return f"template taken, {face.confidence:.0%} sure"

    def _apply(self, settings: LiveSettings, anew: bool = False) -> None:
        """Process frames from now on with these settings."""
        config = self._config
        if anew or settings.template != config.settings.template:
            self._config = self._configured(settings, self._make_tracker(settings))
        elif settings.smoothing != config.settings.smoothing:
            tracker = self._make_tracker(settings)
            if replace(settings, smoothing=config.settings.smoothing) == config.settings:
                expressions = self._expressions_of(settings, tracker)
                self._config = replace(
                    config, settings=settings, tracker=tracker, expressions=expressions
                )
            else:
                self._config = self._configured(settings, tracker)
        else:
            self._config = self._configured(settings, config.tracker)
        if self._config.tracker is not config.tracker:
            self._retired.append(config.tracker)

    def _make_tracker(self, settings: LiveSettings) -> FaceTracker:
        return FaceTracker(
            self._catalog.template(settings.template),
            self._model,
            smooth=settings.smoothing,
            threaded_search=True,
            **self._options,
        )

    def _configured(self, settings: LiveSettings, tracker: FaceTracker) -> _Config:
        """Return the configuration, with all that depends on the template prepared."""
        template = tracker.template
        expressions = self._expressions_of(settings, tracker)
        made = self._catalog.further.get(settings.effect)
        if made is not None:
            made(np.zeros((8, 8, 3), np.uint8), [], template)
            return _Config(settings, tracker, made, expressions)
        options: dict[str, Any] = {"annotate": self._tags}
        if takes(settings.effect, "opacity"):
            options["opacity"] = settings.opacity
        if settings.effect == "texture":
            options["texture"], options["blend"] = self._catalog.texture(
                settings.texture, settings.makeup
            )
            options["blend"] = self._blend or options["blend"]
            options["match"] = self._match
        if settings.effect == "style":
            options["style"] = self._catalog.style(settings.style, self._register_style)
            options["style_mode"] = settings.style_mode
        effect = make_effect(settings.effect, **options)
        effect(np.zeros((8, 8, 3), np.uint8), [], template)
        return _Config(settings, tracker, effect, expressions)

    def _register_style(self, name: str) -> StyleFace:
        return StyleFace.of(name, self._model)

    def _expressions_of(
        self, settings: LiveSettings, tracker: FaceTracker
    ) -> ExpressionTracker | None:
        """Return what computes expressions: the same, with its neutral, while the template is."""
        if self._field_of_view is None:
            return None
        made = self._expressions
        if made is None or made.template is not tracker.template:
            made = ExpressionTracker(tracker.template, self._field_of_view)
            self._expressions = made
        made.smooth = settings.smoothing
        return made

    def _remember(self, frame: Frame, faces: Sequence[Face]) -> None:
        """Store the largest face tracked with confidence, for a moment."""
        good = [face for face in faces if face.state == "tracking"]
        if good:
            largest = max(good, key=lambda face: side_of(face.box))
            self._last_good = _LastGoodFrame(frame.image, frame.time, largest, perf_counter())
        elif self._last_good and not 0 <= frame.time - self._last_good.time <= _REMEMBER_S:
            self._last_good = None

    def _close_retired(self, but: FaceTracker | None = None) -> None:
        for tracker in [one for one in self._retired if one is not but]:
            self._retired.remove(tracker)
            self._closing.submit(tracker.close)
