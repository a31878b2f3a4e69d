"""Track faces in live frames and render an effect."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewarp.core.model import Model
from facewarp.errors import FacewarpError
from facewarp.face.boxes import side_of
from facewarp.face.crop import Crop
from facewarp.face.effects.base import drawn_with_layer
from facewarp.face.effects.factory import Effect, note_of
from facewarp.face.effects.style import StyleFace
from facewarp.face.expressions.expression_tracker import Expression, ExpressionTracker
from facewarp.face.face import Face
from facewarp.face.rendering.textures import check_texture
from facewarp.face.template_building.from_photo import OwnFace, find_face
from facewarp.face.tracking.options import TrackerOptions
from facewarp.face.tracking.record import record_of
from facewarp.face.tracking.registration import FaceRegistrar, crop_around
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.live.catalog import (
    OWN_STYLE,
    OWN_TEXTURE,
    PICTURE,
    SNAPSHOT,
    Catalog,
    EffectChoice,
)
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
        tracking: how faces are tracked.
        choice: what is drawn at first.
        mirror: mirror the preview.
        model: in place of the one that `tracking` names, if it is loaded already.
        field_of_view: of the camera along the longer side, degrees; None if no expressions are
            asked for, which then take no time.

    Raises:
        FacewarpError: no such effect, texture, template or model.
    """

    def __init__(
        self,
        tracking: TrackerOptions | None = None,
        choice: EffectChoice | None = None,
        *,
        mirror: bool = False,
        model: Model | None = None,
        field_of_view: float | None = None,
    ) -> None:
        self._tracking = tracking or TrackerOptions()
        choice = choice or EffectChoice()
        self._catalog = Catalog(self._tracking.template, choice)
        name, texture_name, style_name = self._catalog.names
        settings = LiveSettings(
            choice.effect,
            texture_name,
            1.0 if choice.opacity is None else choice.opacity,
            self._tracking.smooth,
            mirror,
            name,
            style=style_name,
            style_mode=choice.style_mode,
        )
        settings.check(self.choices())
        self._further = choice.further
        self._field_of_view = field_of_view
        self._expressions: ExpressionTracker | None = None
        tracker = self._make_tracker(settings, model)
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
        made = (*self._further.values(), self._config.effect)
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
            self._config = self._configured(settings, self._make_tracker(settings, self._model))
        elif settings.smoothing != config.settings.smoothing:
            tracker = self._make_tracker(settings, self._model)
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

    def _make_tracker(self, settings: LiveSettings, model: Model | None) -> FaceTracker:
        options = replace(self._tracking, smooth=settings.smoothing)
        template = self._catalog.template(settings.template)
        return options.make(template=template, model=model, threaded_search=True)

    def _configured(self, settings: LiveSettings, tracker: FaceTracker) -> _Config:
        """Return the configuration, with all that depends on the template prepared."""
        expressions = self._expressions_of(settings, tracker)
        effect = self._catalog.make_effect(settings, self._register_style)
        effect(np.zeros((8, 8, 3), np.uint8), [], tracker.template)
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
