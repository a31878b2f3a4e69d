"""Settings that every clip of a batch is tracked with, as they go to another process."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from facewarp.batch.fingerprint import fingerprint
from facewarp.core.weights import absolute_model, file_sha256, find_weights
from facewarp.errors import FacewarpError
from facewarp.face.clip.extra_outputs import ExtraOutputs
from facewarp.face.template.library import find_template, template_names
from facewarp.face.track_export.formats import TracksTarget
from facewarp.media.video.audio_copy import AudioMode

if TYPE_CHECKING:
    from facewarp.core.model import Model
    from facewarp.face.effects.factory import Effect


class EffectMaker(Protocol):
    """What makes an effect in the process that draws it: a dataclass that can be pickled."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def make(self, model: "str | Path | Model", annotate: bool) -> "Effect":
        """Make the effect.

        Args:
            model: what registers the face of a style.
            annotate: whether faces are tagged.
        """


@dataclass(frozen=True)
class ClipSettings:
    """What is done with every clip.

    Attributes:
        effect: what is drawn.
        annotate: whether faces are tagged.
        template: shipped name or file.
        model: shipped name or weights file.
        detector: what runs the face detector.
        engine: what runs the model.
        device: where the model runs.
        faces: how many are followed at once.
        smooth: whether landmarks are smoothed over time.
        photometric: whether faces are held to the skin.
        occlusion: whether effects end behind what hides a face.
        details: whether eyes and mouths are looked at closely.
        thorough: test-time augmentation.
        start: first second of videos.
        end: second of videos to stop before.
        fps: frames a second of pictures.
        audio: what becomes of the sound.
        keep_hdr: whether HDR stays HDR.
        alpha: pattern of names for the effect alone; None without.
        passes: pattern of names for files of layers; None without.
        tracks: patterns of names for tracks, see `facewarp.face.track_export`.
        expressions: pattern of names for tables of expressions; None without.
        neutral: second at which the face of every clip is at rest.
        field_of_view: of the camera, degrees.
        first_frame: number of a clip's first frame in names.
        codec: of videos; None for what their kind of file usually has.
        quality: of videos, 0 to 100; None for the codec's own.
    """

    effect: EffectMaker
    annotate: bool = False
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
    start: float | None = None
    end: float | None = None
    fps: float | None = None
    audio: AudioMode = "copy"
    keep_hdr: bool = False
    alpha: str | None = None
    passes: str | None = None
    tracks: tuple[str, ...] = ()
    expressions: str | None = None
    neutral: float | None = None
    field_of_view: float | None = None
    first_frame: int = 1
    codec: str | None = None
    quality: int | None = None

    def identity(self) -> dict[str, Any]:
        """Return what a result depends on: equal ones give the same files.

        Raises:
            FacewarpError: there is no such model or template.
        """
        plain: dict[str, Any] = _plain(asdict(self))
        for name in ("device", "alpha", "passes", "tracks", "expressions"):
            plain.pop(name)  # where it is computed and written
        plain["model"] = file_sha256(find_weights(self.model))
        plain["template"] = file_sha256(find_template(self.template))
        return plain

    def extras(self, fill: Callable[[str], str], *, resume: bool) -> ExtraOutputs:
        """Return what is written of a clip beside its pictures and their data.

        Args:
            fill: from a pattern of names to the clip's own.
            resume: keep files of passes that are whole and made from the same.
        """
        alpha, passes = (
            None if pattern is None else Path(fill(pattern))
            for pattern in (self.alpha, self.passes)
        )
        tracks = tuple(TracksTarget.of(fill(pattern)) for pattern in self.tracks)
        identity = {} if passes is None else self.identity()
        told = {name: repr(value) for name, value in identity.items()}
        extras = ExtraOutputs(alpha, passes, tracks, self.first_frame, resume, told)
        expressions = None if self.expressions is None else Path(fill(self.expressions))
        return replace(
            extras,
            expressions=expressions,
            neutral=self.neutral,
            field_of_view=self.field_of_view,
        )

    def absolute(self) -> "ClipSettings":
        """Return the settings with files by paths that are the same on every machine."""
        fields = {
            field.name: _absolute(getattr(self.effect, field.name))
            for field in dataclass_fields(self.effect)
        }
        return replace(
            self,
            effect=replace(self.effect, **fields),
            template=_absolute(self.template),
            model=absolute_model(self.model),
        )

    def check(self) -> None:
        """Make sure, before work begins, that model, template and effect can be had.

        Raises:
            FacewarpError: one can't.
        """
        self.identity()
        self.effect.make(self.model, self.annotate)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, files with what tells them from changed ones."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, str | Path):
        text = str(value)
        path = Path(text)
        try:
            return [text, *fingerprint(path)] if path.is_file() else text
        except OSError as error:
            raise FacewarpError("the file can't be read", path) from error
    return value


def _absolute(value: Any) -> Any:
    """Return names of files as absolute paths, all else as it is.

    Names of textures, styles and templates stay: they win over files that are called the same.
    """
    if isinstance(value, list):
        return [_absolute(one) for one in value]
    if isinstance(value, Path):
        return value.absolute()
    if isinstance(value, str) and Path(value).is_file() and value not in _names():
        return str(Path(value).absolute())
    return value


def _names() -> list[str]:
    from facewarp.face.effects.style import list_styles
    from facewarp.face.rendering.textures import list_textures

    return [*template_names(), *list_textures(), *list_styles()]
