"""The folder of the page: whole, checked by hash, the same each time."""

import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facewarp.errors import FacewarpError
from facewarp.face.effects.options import EFFECT_OPTIONS, options_of
from facewarp.face.rendering.textures import list_textures
from facewarp.face.template.template import Template
from facewarp.page import build
from facewarp.page.html import POLICY, page_html
from facewarp.page.template_file import template_bytes

pytest.importorskip("onnx")
pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, with a stand-in for the runtime, which only npm can bring."""
    folder = tmp_path_factory.mktemp("page") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "runtime_files", stand_in)
        build.build_page(folder)
    return folder


def stand_in() -> dict[str, bytes]:
    return {
        "ort.wasm.bundle.min.mjs": b"export const env = {};\n",
        "ort-wasm-simd-threaded.wasm": b"\0asm",
    }


def test_every_file_has_its_hash_and_is_there(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    found = {str(path.relative_to(built)) for path in built.rglob("*") if path.is_file()}
    assert found == set(manifest["files"]) | {"manifest.json"}
    for name, entry in manifest["files"].items():
        content = (built / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], name
        assert len(content) == entry["bytes"]
    assert gzip.decompress((built / "ort-wasm-simd-threaded.wasm.bin").read_bytes()) == b"\0asm"


def test_every_import_and_every_file_that_the_html_names_is_there(built: Path) -> None:
    names = re.findall(r'(?:href|src)="([\w./-]+)"', (built / "index.html").read_text())
    for module in built.glob("*.js"):
        names += re.findall(r'from "\./([\w.-]+)"', module.read_text())
    assert "renderer.js" in names
    assert {name for name in names if not (built / name).is_file()} == set()


def test_nothing_is_named_that_is_elsewhere(built: Path) -> None:
    for path in [*built.glob("*.js"), *built.glob("*.css"), built / "index.html"]:
        text = re.sub(r"http://www\.w3\.org/\S+", "", path.read_text())
        assert not re.search(r"(https?:)?//[a-z]+\.[a-z]", text), path.name


def test_effects_and_textures_are_those_of_the_program(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    assert [entry["name"] for entry in manifest["pictures"]] == ["labels", *list_textures()]
    for name in manifest["effects"]:
        assert manifest["options"][name] == options_of(name)
    assert manifest["defaults"] == {name: option.default for name, option in EFFECT_OPTIONS.items()}
    for entry in manifest["pictures"]:
        with Image.open(built / entry["file"]) as picture:
            assert picture.mode == "RGBA"
            assert picture.width / picture.height == pytest.approx(260 / 320, rel=0.01)


def test_the_template_is_the_programs(built: Path) -> None:
    content = gzip.decompress((built / "template.bin").read_bytes())
    labels = np.frombuffer(content, "<f4", 8 * 80 * 65).reshape(8, 80, 65)
    np.testing.assert_allclose(labels.sum(0), 1, atol=1e-3)
    assert len(content) == 4 * (8 + 8 + 2) * 80 * 65 + 320 * 260
    manifest = json.loads((built / "manifest.json").read_text())
    points = np.array(manifest["template"]["landmarks"]).reshape(68, 2)
    np.testing.assert_allclose(points, Template.load().landmarks, atol=1e-4)
    assert manifest["template"]["is_painted"] is True


def test_a_template_of_one_face_is_painted_by_its_field(built: Path) -> None:
    from dataclasses import replace

    import facewarp

    model = facewarp.load("face", engine="openvino")
    average = Template.load()
    own = replace(average, texture_field=np.full((2, 320, 260), 3, np.float32))
    content = template_bytes(own, model)
    field = np.frombuffer(content, "<f4", 2 * 80 * 65, offset=64 * 80 * 65)
    np.testing.assert_allclose(field, 3)


def test_a_page_that_is_too_large_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "runtime_files", stand_in)
    monkeypatch.setattr(build, "_networks", lambda model: {"networks/x.bin": b"0" * 2_000_000})
    with pytest.raises(FacewarpError, match=r"more than 0\.5.*--max-size"):
        build.build_page(tmp_path / "out", max_size_mb=0.5)
    assert list(tmp_path.iterdir()) == []


def test_an_older_page_is_replaced_and_other_folders_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "runtime_files", stand_in)
    monkeypatch.setattr(build, "_networks", lambda model: {"networks/x.bin": b"0"})
    out = tmp_path / "out"
    first = build.build_page(out)
    old = out / "manifest.json"
    known = json.loads(old.read_text())
    (out / "older.js").write_text("old")
    known["files"]["older.js"] = {"sha256": "", "bytes": 3}
    old.write_text(json.dumps(known))
    assert build.build_page(out) == first
    assert not (out / "older.js").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(FacewarpError, match="holds other things"):
        build.build_page(tmp_path / "mine")


def test_the_policy_allows_this_server_only() -> None:
    live = files("facewarp.assets").joinpath("web/index.html").read_text("utf-8")
    page = page_html(live)
    found: dict[str, str] = {}

    class Metas(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            values = dict(attrs)
            if tag == "meta" and values.get("http-equiv") == "Content-Security-Policy":
                found["policy"] = values["content"] or ""

    Metas().feed(page)
    assert found["policy"] == POLICY
    directives = dict(part.split(" ", 1) for part in POLICY.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["connect-src"] == "'self'"
    assert "program that serves" not in page
    with pytest.raises(FacewarpError, match="no single"):
        page_html(live.replace("facewarp live</title>", "other</title>"))


def test_tiles_wear_their_textures_on_the_average_face(built: Path) -> None:
    assert "url(" not in (built / "page.css").read_text(), "it would be requested after loading"
    assert '"face.webp"' in (built / "app.js").read_text()
    with (
        Image.open(built / "face.webp") as face,
        Image.open(built / "pictures/makeup.webp") as worn,
    ):
        assert face.mode == "RGBA"
        wide, high = worn.size
        assert face.width / face.height == pytest.approx(wide / high, rel=0.01)  # both lie alike
        alpha = np.asarray(face)[..., 3]
    assert alpha[alpha.shape[0] // 2, alpha.shape[1] // 2] == 255
    assert alpha[0, 0] < 30
