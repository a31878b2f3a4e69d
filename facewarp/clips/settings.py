"""Settings that every clip of a batch is tracked with, as they go to another process."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from facewarp.batch.fingerprint import fingerprint
from facewarp.clips.clip.extra_outputs import ExtraOutputs, ExtraPatterns
from facewarp.clips.clip.track_job import Encoding
from facewarp.core.weights import absolute_model, file_sha256, find_weights
from facewarp.errors import FacewarpError
from facewarp.face.template.library import find_template, template_names
from facewarp.face.tracking.options import TrackerOptions

if TYPE_CHECKING:
    from facewarp.core.model import Model
    from facewarp.face.effects.factory import Effect


class EffectMaker(Protocol):
    """What makes an effect in the process that draws it: a dataclass that can be pickled."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def label(self) -> str:
        """Word for the names of outputs."""

    def make(self, model: "str | Path | Model", annotate: bool) -> "Effect":
        """Make the effect.

        Args:
            model: what registers the face of a style.
            annotate: whether faces are tagged.
        """


@dataclass(frozen=True)
class Part:
    """The part of a clip that is tracked, and the rate of images.

    Attributes:
        start: where to begin in a video, s; None for at the beginning.
        end: where to stop, s; None for at the end.
        fps: frames a second of images; None for their own.
    """

    start: float | None = None
    end: float | None = None
    fps: float | None = None


@dataclass(frozen=True)
class ClipSettings:
    """What is done with every clip.

    Attributes:
        effect: what is drawn.
        annotate: whether faces are tagged.
        tracking: how faces are tracked.
        part: what of a clip is tracked.
        encoding: of videos.
        extras: what is written beside the pictures.
    """

    effect: EffectMaker
    annotate: bool = False
    tracking: TrackerOptions = field(default_factory=TrackerOptions)
    part: Part = Part()
    encoding: Encoding = field(default_factory=Encoding)
    extras: ExtraPatterns = field(default_factory=ExtraPatterns)

    def identity(self) -> dict[str, Any]:
        """Return what a result depends on: equal ones give the same files.

        Raises:
            FacewarpError: there is no such model or template.
        """
        groups = (self.tracking, self.part, self.encoding, self.extras)
        plain: dict[str, Any] = {"effect": _plain(asdict(self.effect)), "annotate": self.annotate}
        for group in groups:
            plain |= _plain(asdict(group))
        for name in ("device", "alpha", "passes", "tracks", "expressions"):
            plain.pop(name)  # where it is computed and written
        plain["model"] = file_sha256(find_weights(self.tracking.model))
        plain["template"] = file_sha256(find_template(self.tracking.template))
        return plain

    def outputs_beside(self, fill: Callable[[str], str], *, resume: bool) -> ExtraOutputs:
        """Return what is written of a clip beside its pictures and their data.

        Args:
            fill: from a pattern of names to the clip's own.
            resume: keep files of passes that are whole and made from the same.
        """
        identity = {} if self.extras.passes is None else self.identity()
        return self.extras.outputs(fill, identity, resume=resume)

    def absolute(self) -> "ClipSettings":
        """Return the settings with files by paths that are the same on every machine."""
        fields = {
            one.name: _absolute(getattr(self.effect, one.name))
            for one in dataclass_fields(self.effect)
        }
        tracking = replace(
            self.tracking,
            template=_absolute(self.tracking.template),
            model=absolute_model(self.tracking.model),
        )
        return replace(self, effect=replace(self.effect, **fields), tracking=tracking)

    def check(self) -> None:
        """Make sure, before work begins, that model, template and effect can be had.

        Raises:
            FacewarpError: one can't.
        """
        self.identity()
        self.effect.make(self.tracking.model, self.annotate)


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
            what = f"the file can't be read: {error.strerror or error}"
            raise FacewarpError(what, path, "Check that you may read it.") from error
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
