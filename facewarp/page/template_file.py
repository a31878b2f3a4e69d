"""A template for the page: soft labels and skin in one binary file, points in its description."""

from typing import Any, Final

import numpy as np

from facewarp.core.model import Model, template_guidance
from facewarp.face.crop_fields import resized
from facewarp.face.rendering.occlusion import skin_of
from facewarp.face.template.template import Template

PLACES: Final = 4
"""Decimal places of the points, px."""


def painted_template(template: Template) -> Template:
    """Return the template that textures and labels are painted on.

    Made of one face, a template has a field to the shipped one, whose textures it wears.
    """
    return template if template.texture_field is None else Template.load("average")


def template_bytes(template: Template, model: Model) -> bytes:
    """Return a template's arrays, little-endian.

    Soft labels (8, h, w) float32, those of the painted template, the field (2, h, w) float32 to
    it, crop px, and its skin (320, 260) uint8.
    """
    painted, shape = painted_template(template), model.config.feature_shape
    labels = [template_guidance(model, one.probabilities) for one in (template, painted)]
    field = np.zeros((2, *shape), np.float32)
    if template.texture_field is not None:
        field = resized(template.texture_field, (shape[0], shape[1]))
    skin = np.rint(255 * skin_of(painted).clip(0, 1)).astype(np.uint8)
    arrays = [np.asarray(array, "<f4") for array in (*labels, field)]
    return b"".join(array.tobytes() for array in (*arrays, skin))


def template_description(template: Template) -> dict[str, Any]:
    """Return name, landmarks and mesh of a template, crop px."""
    return {
        "name": template.name,
        "landmarks": np.round(template.landmarks, PLACES).ravel().tolist(),
        "mesh": np.round(template.mesh_points, PLACES).ravel().tolist(),
        "triangles": template.triangles.ravel().tolist(),
        "is_painted": template.texture_field is None,
    }
