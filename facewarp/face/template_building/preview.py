"""Preview a template, and render a guide to paint textures on."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.core import fields
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.parts import PART_COLORS, FacePart
from facewarp.face.template.contours import part_contours
from facewarp.face.template.template import Template

UV_SCALE = 4
"""Px of an exported picture per template px."""


def template_sheet(template: Template, scale: int = 2) -> NDArray[np.uint8]:
    """Render image, part labels and mesh of a template side by side; (320 k, 780 k, 3)."""
    size = (CROP_SHAPE[1] * scale, CROP_SHAPE[0] * scale)
    picture = cv2.resize(template.color, size, interpolation=cv2.INTER_CUBIC)
    soft = np.stack([cv2.resize(part, size) for part in template.probabilities])
    labels = soft.argmax(0)
    tinted = np.where(
        (labels > 0)[..., None], 0.45 * picture + 0.55 * PART_COLORS[labels], picture
    ).astype(np.uint8)
    meshed = picture.copy()
    points = (template.mesh_points + 0.5) * scale - 0.5
    for triangle in template.triangles:
        corners = np.rint(points[triangle] * 16).astype(np.int32)
        cv2.polylines(meshed, [corners], True, (255, 255, 255), 1, cv2.LINE_AA, 4)
    for x, y in np.rint(points[:68] * 16).astype(int):
        cv2.circle(meshed, (int(x), int(y)), 20 * scale, (230, 60, 40), -1, cv2.LINE_AA, 4)
    return np.hstack([picture, tinted, meshed])


def uv_guide(template: Template) -> NDArray[np.uint8]:
    """Return what to paint a texture over: (1280, 1040, 4) uint8 RGBA in the space of textures.

    The template's picture, pale, with the contours of its parts; clear beyond the face. One's own
    template is carried to the space that all textures share, so what is painted on it fits others.
    """
    color, labels = template.color, template.probabilities
    if template.texture_field is not None:
        back, _ = fields.invert(torch.from_numpy(template.texture_field)[None])
        stacked = np.concatenate([labels, color.astype(np.float32).transpose(2, 0, 1)])
        warped = fields.warp(torch.from_numpy(stacked)[None], back)[0].numpy()
        labels = warped[: len(labels)]
        color = np.rint(warped[len(labels) :].transpose(1, 2, 0)).clip(0, 255).astype(np.uint8)
    size = (CROP_SHAPE[1] * UV_SCALE, CROP_SHAPE[0] * UV_SCALE)
    pale = cv2.resize(color, size, interpolation=cv2.INTER_CUBIC) // 2 + 112
    for part in list(FacePart)[1:]:
        contours = [
            np.rint(((points + 0.5) * UV_SCALE - 0.5) * 16).astype(np.int32)[:, None]
            for points in part_contours(np.ascontiguousarray(labels), part)
        ]
        cv2.polylines(pale, contours, True, PART_COLORS[part].tolist(), 3, cv2.LINE_AA, 4)
    face = cv2.GaussianBlur(1 - labels[FacePart.BACKGROUND], (0, 0), 2.0)
    grown = cv2.dilate(face, np.ones((25, 25), np.uint8))
    alpha = cv2.resize(np.rint(255 * grown.clip(0, 1)).astype(np.uint8), size)
    return np.dstack([pale, alpha])
