"""Build the page: a folder of static files that any web server can give out."""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from facewarp.core.model import Model, load
from facewarp.errors import FacewarpError
from facewarp.face.occlusion.network import OCCLUSION
from facewarp.face.template.template import Template
from facewarp.face.temporal.smoothing import SmoothingConfig
from facewarp.face.tracking.confidence import Calibration
from facewarp.face.tracking.track import TrackerConfig
from facewarp.page.html import page_html
from facewarp.page.networks import (
    check_packages,
    detector_network,
    matte_network,
    registration_network,
)
from facewarp.page.pictures import (
    PagePicture,
    effects_table,
    face_picture,
    makeup_masks,
    page_pictures,
)
from facewarp.page.runtime import licence_text, runtime_files, runtime_version
from facewarp.page.template_file import painted_template, template_bytes, template_description
from facewarp.system.atomic_folder import OutputFolder
from facewarp.version import __version__

MANIFEST: Final = "manifest.json"
"""Names every file that the page loads, with its hash: what a folder is known by."""

MAX_SIZE_MB: Final = 9.0
"""What a browser may have to load, unless another limit is asked for."""

SHARED: Final = (
    "controls.js",
    "look.js",
    "tiles.js",
    "source.js",
    "status.js",
    "saving.js",
    "shell.js",
    "style.css",
    "icon.svg",
)
"""Files of the live page that this one has too."""

_OWN: Final = (".js", ".css")
_PACKED: Final = ".bin"  # gzip by another name: servers mark .gz, and browsers then unpack it twice


def build_page(
    target: Path,
    *,
    template: str | Path | Template = "average",
    model: str | Path | Model = "face",
    max_size_mb: float = MAX_SIZE_MB,
) -> dict[str, int]:
    """Write the page into a folder, which appears only when it is whole.

    Args:
        target: the folder; one that an earlier run wrote is replaced.
        template: what faces are registered with.
        model: a face model with 8-bit weights.
        max_size_mb: what a browser may have to load at most, in megabytes of 1e6 bytes.

    Returns:
        The sizes of the files, bytes, by their names.

    Raises:
        FacewarpError: a package or npm is missing, the folder can't be written, or the page
            would be too large.
    """
    output = OutputFolder(target, MANIFEST, _written_before)  # what can't be written is told first
    check_packages()
    chosen = template if isinstance(template, Template) else Template.load(template)
    network = model if isinstance(model, Model) else load(model, engine="openvino")
    with output as folder:
        pictures = list(page_pictures(painted_template(chosen)))
        contents = {**_program(), **_networks(network)}
        contents |= {f"pictures/{picture.name}.webp": picture.webp for picture in pictures}
        contents["face.webp"] = face_picture(painted_template(chosen))
        masks = makeup_masks()
        contents |= {f"makeup/{part}.webp": webp for part, webp in masks.items()}
        contents["template.bin"] = _packed(template_bytes(chosen, network))
        manifest = _manifest(contents, chosen, network, pictures, list(masks))
        contents[MANIFEST] = json.dumps(manifest, indent=1).encode() + b"\n"
        size = sum(map(len, contents.values()))
        if size > 1e6 * max_size_mb:
            raise FacewarpError(
                f"the page would be {size / 1e6:.1f} MB, more than {max_size_mb:g}",
                target,
                "Allow more with --max-size.",
            )
        for name, content in contents.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
    return {name: len(content) for name, content in contents.items()}


def _program() -> dict[str, bytes]:
    """HTML, JavaScript, style, and the runtime with its licence."""
    assets = Path(str(files("facewarp.assets")))
    own = [path for path in sorted((assets / "page").iterdir()) if path.suffix in _OWN]
    shared = [assets / "web" / name for name in SHARED]
    contents = {path.name: path.read_bytes() for path in [*own, *shared]}
    contents["index.html"] = page_html((assets / "web" / "index.html").read_text("utf-8")).encode()
    for name, content in runtime_files().items():
        if name.endswith(".wasm"):
            contents[name + _PACKED] = _packed(content)
        else:
            contents[name] = content
    notice = f"onnxruntime-web {runtime_version()}, https://onnxruntime.ai\n\n{licence_text()}"
    contents["LICENSE-onnxruntime.txt"] = notice.encode()
    contents["LICENSE-detector.txt"] = (assets / "detector" / "LICENSE.txt").read_bytes()
    return contents


def _networks(model: Model) -> dict[str, bytes]:
    return {
        "networks/registration.onnx.bin": _packed(registration_network(model)),
        "networks/detector.onnx.bin": _packed(detector_network()),
        "networks/matte.onnx.bin": _packed(matte_network(load(OCCLUSION, engine="openvino"))),
    }


def _manifest(
    contents: Mapping[str, bytes],
    template: Template,
    model: Model,
    pictures: Sequence[PagePicture],
    makeup: Sequence[str],
) -> dict[str, Any]:
    tracker = TrackerConfig()
    config = {
        name: getattr(tracker, name)
        for name in (
            "sure", "unsure", "gone", "patience", "look_every_s", "search_every_s",
            "search_beside_every_s", "remember_s",
        )
    }  # fmt: skip
    config["knots"] = Calibration.of_model(model).knots
    config["smoothing"] = asdict(SmoothingConfig())
    described = [
        {
            "name": picture.name,
            "title": picture.title,
            "blend": picture.blend,
            "covers_eyes": picture.covers_eyes,
            "file": f"pictures/{picture.name}.webp",
        }
        for picture in pictures
    ]
    return {
        "version": __version__,
        "model": {
            "weights_sha256": model.sha256,
            "licence": model.metadata.get("licence", ""),
            "classes": list(model.config.classes),
        },
        "runtime": f"onnxruntime-web {runtime_version()}",
        "tracker": config,
        "template": template_description(template),
        "pictures": described,
        "makeup": {"parts": list(makeup), "files": [f"makeup/{part}.webp" for part in makeup]},
        **effects_table(),
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in sorted(contents.items())
        },
    }


def _packed(content: bytes) -> bytes:
    """Compress, the same bytes for the same content."""
    return gzip.compress(content, 9, mtime=0)


def _written_before(folder: Path) -> Mapping[str, int]:
    """Return what an earlier run wrote into the folder, with its bytes."""
    try:
        known = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
        sizes = {name: int(entry["bytes"]) for name, entry in known.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return sizes | {name.partition("/")[0]: 0 for name in sizes if "/" in name}
