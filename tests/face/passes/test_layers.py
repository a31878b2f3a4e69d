"""The layers of frames, against fields and motion known by construction."""

import numpy as np
import pytest
from fixtures.stmap import identity, stmap, whole

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.passes.layers import LayerRenderer, SeenFace
from facewarp.face.passes.st_maps import TemplateCanvas
from facewarp.face.passes.stream import PassStream
from facewarp.media.exr.cryptomatte import channels
from facewarp.media.exr.layers_file import LayersFile, read_layers, write_layers

SIZE = (640, 480)


def bent(strength=4.0):
    """A smooth field (2, 80, 65) that bends the face by up to so many crop px."""
    y, x = np.mgrid[:80, :65] * 4 + 1.5
    u = strength * np.sin(x / 41 + 0.5) * np.cos(y / 53)
    v = strength * np.cos(x / 47) * np.sin(y / 39 + 1)
    return np.stack([u, v]).astype(np.float32)


def pressed(strength=0.75):
    """A field (2, 80, 65) of a face whose eyes are shut, where the template's are open.

    Rows of the template share one of the frame: 2.5 at a strength of 0.75. Below -0.5 it folds.
    """
    y = (np.arange(80) * 4 + 1.5)[:, None]
    v = 12 * strength * np.tanh((y - 150) / 6) * np.exp(-(((y - 150) / 30) ** 2))
    return np.stack([np.zeros((80, 65)), np.broadcast_to(v, (80, 65))]).astype(np.float32)


@pytest.fixture
def render(template):
    renderer = LayerRenderer(template, TemplateCanvas(SIZE))

    def layers(*faces, before=(), after=(), renderer=renderer):
        seen = [SeenFace(face) for face in faces]
        around = ({face.id: SeenFace(face) for face in some} for some in (before, after))
        return renderer(seen, *around)

    return layers


def test_maps_and_motion_survive_a_lossy_copy(face_at, render, tmp_path):
    # DWAA takes channels called R, G, B, Y for colors (findings/dwaa-by-channel-name.sh)
    exr = pytest.importorskip("OpenEXR")
    face = face_at(side=190, field=bent())
    made = render(face, after=[face_at(side=190, field=bent(3.0))])
    shape = made.channels["matte.A"].shape
    planes = made.channels | channels("face_id", made.coverage, shape)
    write_layers(tmp_path / "passes.exr", LayersFile(made.size, made.box, planes))
    with exr.File(str(tmp_path / "passes.exr"), separate_channels=True) as file:
        lossy = file.header() | {"compression": exr.DWAA_COMPRESSION}
        planes = {name: channel.pixels.copy() for name, channel in file.channels().items()}
    with exr.File(lossy, dict(planes)) as file:
        file.write(str(tmp_path / "copy.exr"))
    _, found = read_layers(tmp_path / "copy.exr")
    kept = {name for name, values in planes.items() if (found[name] == values).all()}
    exact = {name for name in planes if name.endswith((".u", ".v"))}
    assert len(exact) == 8
    assert exact <= kept
    assert "face_id00.R" not in kept  # Cryptomatte's own names: a copy of it has to be without loss


def test_openimageio_follows_the_maps_flipped(face_at, render):
    oiio = pytest.importorskip("OpenImageIO")

    def held(planes):
        planes = np.ascontiguousarray(planes, np.float32)
        height, width, count = planes.shape
        made = oiio.ImageBuf(oiio.ImageSpec(width, height, count, "float"))
        made.set_pixels(oiio.ROI(), planes)
        return made

    layers = render(face_at(side=190, roll=0.2, field=bent()))
    inside = whole(layers, "matte.A") > 0.5
    u, v = (whole(layers, f"st_to_template.{axis}") for axis in "uv")
    ours = stmap(identity(SIZE), u, v)
    maps = held(np.dstack([u, v]))
    theirs = oiio.ImageBufAlgo.st_warp(held(identity(SIZE)), maps, "triangle", 2.0, flip_t=True)
    off = np.abs(theirs.get_pixels(oiio.FLOAT)[..., :2] - ours)[inside] * SIZE
    assert off.max() < 0.1
    fine = np.kron(identity(SIZE), np.ones((2, 2, 1)))  # a painting may be larger than the plate
    painted = oiio.ImageBufAlgo.st_warp(
        held(fine), maps, "triangle", 2.0, flip_t=True, roi=maps.roi
    )
    off = np.abs(painted.get_pixels(oiio.FLOAT)[..., :2] - ours)[inside] * SIZE
    assert off.max() < 1


@pytest.mark.parametrize("roll", [0.0, 0.4])
def test_unwrapping_and_wrapping_again_changes_nothing(face_at, render, roll):
    face = face_at(side=190, roll=roll, field=bent())
    layers = render(face)
    inside = whole(layers, "matte.A") > 0.5
    unwrapped = stmap(
        identity(SIZE), whole(layers, "st_from_template_3.u"), whole(layers, "st_from_template_3.v")
    )
    again = stmap(unwrapped, whole(layers, "st_to_template.u"), whole(layers, "st_to_template.v"))
    off = np.hypot(*np.moveaxis((again - identity(SIZE)) * SIZE, -1, 0))[inside]
    assert inside.sum() > 15_000
    assert off.max() <= 0.05
    assert whole(layers, "consistency.A")[inside].all()
    assert not whole(layers, "consistency.A")[whole(layers, "matte.A") == 0].any()


def test_a_canvas_finer_than_the_template_is_as_exact(face_at, template):
    renderer = LayerRenderer(template, TemplateCanvas((800, 960)))
    face = face_at((400, 480), side=300, field=pressed())
    layers = renderer([SeenFace(face)], {}, {})
    inside = whole(layers, "matte.A") > 0.5
    there = stmap(
        identity(layers.size),
        whole(layers, "st_from_template_3.u"),
        whole(layers, "st_from_template_3.v"),
    )
    again = stmap(there, whole(layers, "st_to_template.u"), whole(layers, "st_to_template.v"))
    off = np.hypot(*np.moveaxis((again - identity(layers.size)) * layers.size, -1, 0))
    assert (off[inside] <= 0.05).mean() > 0.99


def test_consistency_tells_where_the_maps_do_not_undo_each_other(face_at, render):
    layers = render(face_at(side=190, field=pressed(-0.75)))  # folded: there is no inverse
    inside = whole(layers, "matte.A") > 0.5
    there = stmap(
        identity(SIZE), whole(layers, "st_from_template_3.u"), whole(layers, "st_from_template_3.v")
    )
    again = stmap(there, whole(layers, "st_to_template.u"), whole(layers, "st_to_template.v"))
    off = np.hypot(*np.moveaxis((again - identity(SIZE)) * SIZE, -1, 0))
    told = whole(layers, "consistency.A") > 0.5
    assert 0.5 < told[inside].mean() < 0.999
    assert off[inside & told].max() <= 0.051
    assert off[inside & ~told].min() > 0.049


def test_a_ramp_of_the_template_lands_where_the_field_says(face_at, render, template):
    field = bent()
    face = face_at(side=190, field=field)
    layers = render(face)
    canvas = TemplateCanvas(SIZE)
    painted = identity(SIZE)
    on_frame = stmap(painted, whole(layers, "st_to_template.u"), whole(layers, "st_to_template.v"))
    at = np.array([[37, 40], [20, 30], [50, 44]])  # points of the field's grid
    crop = at[:, ::-1] * 4 + 1.5
    frame = np.rint(face.crop.to_frame(crop)).astype(int)
    exact = face.crop.to_crop(frame)
    moved = exact + field[:, at[:, 0], at[:, 1]].T  # a px beside the point: the field bends little
    x, y = canvas.of_template(*moved.T)
    told = on_frame[frame[:, 1], frame[:, 0]] * SIZE - 0.5
    assert told[:, 0] == pytest.approx(x, abs=0.15)
    assert SIZE[1] - 1 - told[:, 1] == pytest.approx(y, abs=0.15)


def test_motion_is_that_of_the_face_right_and_up(face_at, render):
    now, later = face_at((300, 240), field=bent()), face_at((307, 237), field=bent())
    layers = render(now, before=[later], after=[later])
    inside = whole(layers, "matte.A") > 0.5
    for name in ("forward", "backward"):
        assert whole(layers, f"{name}.u")[inside] == pytest.approx(7, abs=0.02)
        assert whole(layers, f"{name}.v")[inside] == pytest.approx(3, abs=0.02)
    assert not whole(layers, "forward.u")[whole(layers, "matte.A") == 0].any()


def test_motion_is_known_in_the_middle_of_a_growing_face(face_at, render):
    layers = render(face_at(side=150), after=[face_at(side=165)])
    u, v = whole(layers, "forward.u"), whole(layers, "forward.v")
    assert u[240, 360] == pytest.approx(4, abs=0.05)  # 40 px right of the middle, 10 % larger
    assert v[260, 320] == pytest.approx(-2, abs=0.05)


def test_a_face_that_comes_or_goes_does_not_move(face_at, render):
    layers = render(face_at())
    assert not layers.channels["forward.u"].any()
    assert not layers.channels["backward.v"].any()


def test_parts_add_up_to_the_whole_matte(face_at, render):
    layers = render(face_at())
    parts = [v for k, v in layers.channels.items() if k.startswith("matte_")]
    assert len(parts) == 7
    total = np.sum(parts, axis=0, dtype=np.float32)
    assert total == pytest.approx(layers.channels["matte.A"].astype(np.float32), abs=0.005)
    assert (layers.channels["visibility.A"] <= layers.channels["matte.A"] + 1e-3).all()
    assert layers.channels["confidence.A"].max() == pytest.approx(0.9, abs=1e-3)


def test_the_larger_of_two_faces_is_in_front(face_at, render):
    near = face_at((300, 240), side=200, id=1, confidence=0.5)
    far = face_at((380, 230), side=140, id=2)
    layers = render(near, far)
    shares = layers.coverage
    assert set(shares) == {"face1", "face2"}
    assert (shares["face1"] + shares["face2"] <= 1 + 1e-5).all()
    alone = render(near)
    rows = slice(alone.box[1] - layers.box[1], alone.box[3] - layers.box[1])
    columns = slice(alone.box[0] - layers.box[0], alone.box[2] - layers.box[0])
    assert shares["face1"][rows, columns] == pytest.approx(alone.coverage["face1"])
    assert whole(layers, "confidence.A")[240, 300] == pytest.approx(0.5, abs=1e-3)
    assert {f"st_from_template_{n}.u" for n in (1, 2)} <= set(layers.channels)


def test_a_frame_without_a_face_is_black(render):
    layers = render()
    assert layers.box == (0, 0, 640, 480)
    assert not any(values.any() for values in layers.channels.values())


def test_a_face_half_out_of_the_frame_has_its_layers(face_at, render):
    layers = render(face_at((630, 20), field=bent()))
    assert whole(layers, "matte.A")[20, 630] > 0.9
    assert all(np.isfinite(values).all() for values in layers.channels.values())


def test_the_template_stays_upright_on_pixels_that_are_not_square(face_at, template):
    canvas = TemplateCanvas((320, 480), pixel_aspect=2.0)
    across, down = canvas.scale
    assert across * 2 == pytest.approx(down) == pytest.approx(480 / CROP_SHAPE[0])
    x0, y0, x1, y1 = canvas.box
    assert (x0 + x1) / 2 == pytest.approx(160, abs=1)
    assert (y0, y1) == (0, 480)


def test_a_field_that_folds_gives_numbers_everywhere(face_at, render):
    layers = render(face_at(field=bent(60)))
    assert all(np.isfinite(values).all() for values in layers.channels.values())


def test_frames_come_one_behind_with_what_lies_around_them(template, face_at):
    renderer = LayerRenderer(template, TemplateCanvas(SIZE))
    stream = PassStream()
    places = [(300, 240), (304, 240), (310, 240)]
    assert stream.add(0, [face_at(places[0])]) is None
    ready = [
        stream.add(1, [face_at(places[1])]),
        stream.add(2, [face_at(places[2], state="lost")]),
        stream.finish(),
    ]
    assert [one.tag for one in ready] == [0, 1, 2]
    third, second, first = (one.render(renderer) for one in ready[::-1])  # in any order
    assert not third.channels["matte.A"].any()
    assert whole(first, "forward.u")[240, 300] == pytest.approx(4, abs=0.02)
    assert whole(first, "backward.u").max() == 0
    assert whole(second, "backward.u")[240, 304] == pytest.approx(-4, abs=0.02)
    assert whole(second, "forward.u").max() == 0


def test_pictures_of_a_folder_do_not_move(template, face_at):
    renderer, stream = LayerRenderer(template, TemplateCanvas(SIZE)), PassStream(follows=False)
    stream.add(0, [face_at((300, 240))])
    ready = stream.add(1, [face_at((310, 240))])
    assert not whole(ready.render(renderer), "forward.u").any()
