"""Make-up: parts by name, colour and strength, on the part and nowhere else."""

import cv2
import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.effects.factory import make_effect
from facewarp.face.parts import FacePart
from facewarp.face.rendering.makeup import LOOKS, PARTS, Makeup, made_up, parse_look, part_masks
from facewarp.face.rendering.textures import load_texture, texture_blend


def test_a_look_may_be_changed_part_by_part():
    look = parse_look("makeup+lips=#102030:0.25+blush=off+liner=0.5+freckles=black")
    assert look["lips"] == Makeup((16, 32, 48), 0.25)
    assert look["blush"].strength == 0
    assert look["liner"] == Makeup(LOOKS["makeup"]["liner"].color, 0.5)
    assert look["freckles"].color == (0, 0, 0)
    assert look["shadow"] == LOOKS["makeup"]["shadow"]
    assert "contour" not in look


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("makeup+lip=red", r"knows no 'lip=red'.*Did you mean lips"),
        ("makeup+lips", "knows no 'lips'"),
        ("makeup+lips=crimsom:0.5", "crimsom:0.5 is no make-up"),
        ("makeup+lips=red:1.5", "0..1"),
        ("makeup+lips=-0.1", "0..1"),
        ("makeup+lips=red:nan", "0..1"),
        ("make+lips=red", "no look 'make'"),
    ],
)
def test_what_is_no_makeup_is_refused(spec, says):
    with pytest.raises(FacewarpError, match=says):
        parse_look(spec)


def test_strength_and_color_are_those_asked_for():
    mask = part_masks()["lips"]
    rgba = made_up({"lips": Makeup((200, 10, 20), 0.5)})
    full = mask == mask.max()
    assert (np.abs(rgba[full] - np.array((200, 10, 20, mask.max() / 2))) <= 1).all()
    assert (rgba[mask == 0, 3] == 0).all()
    assert not made_up({"lips": Makeup((200, 10, 20), 0)})[..., 3].any()


@pytest.mark.parametrize("part", PARTS)
def test_masks_lie_on_the_face_and_leave_the_eyes_free(part, template):
    mask = part_masks()[part][::2, ::2]
    face = template.probabilities[FacePart.BACKGROUND] < 0.9
    assert mask.max() > 100
    assert mask[~face].sum() < 0.1 * mask.sum()
    for eye in (slice(36, 42), slice(42, 48)):
        x, y = np.rint(template.landmarks[eye].mean(axis=0)).astype(int)
        assert mask[y, x] == 0
    np.testing.assert_array_equal(part_masks()[part], part_masks()[part][:, ::-1])


def test_looks_are_textures_that_keep_the_light(template, frame, face_at):
    assert texture_blend("evening+lips=red") == "tint"
    np.testing.assert_array_equal(load_texture("freckles"), made_up(LOOKS["freckles"]))
    face = face_at(center=(320, 260), side=240.0)
    out = make_effect("texture", texture="makeup+lips=#c01030:1", annotate=False)(
        frame, [face], template
    )
    lips = np.rint(face.landmarks[[50, 52, 57]]).astype(int)
    redder = out.astype(int) - frame
    x, y = lips[2] - (0, 2)
    assert redder[y, x, 0] - redder[y, x, 1] > 15
    # Light and dark of the frame stay: what was brighter is brighter.
    ys, xs = np.nonzero(np.abs(redder).sum(-1) > 20)
    gray = frame[ys, xs].mean(1), out[ys, xs].mean(1)
    assert np.corrcoef(*gray)[0, 1] > 0.3


def test_blush_and_contour_fade_before_the_outline(template):
    """A turned head shows the template's outline in the middle of its cheek."""
    face = (template.probabilities[FacePart.BACKGROUND] < 0.5).astype(np.uint8)
    inside = cv2.distanceTransform(face, cv2.DIST_L2, 5)
    inside[int(template.landmarks[4, 1]) :] = np.inf  # along the jaw contour is its shade
    for part, most in (("blush", 0.1), ("contour", 0.6)):
        mask = cv2.resize(part_masks()[part], (260, 320), interpolation=cv2.INTER_AREA)
        assert mask[inside < 4.5].max() < most * mask.max()
