"""Readers of the data sets, and the crops and pairs cut from them."""

from facewarp.training.datasets.celebamask import load_celebamask
from facewarp.training.datasets.crops import (
    FaceCrop,
    evaluation_pairs,
    load_test_crops,
    protocol_crop,
)
from facewarp.training.datasets.helen import load_helen, read_pts, write_pts
from facewarp.training.datasets.masks import part_masks
from facewarp.training.datasets.photo import FacePhoto

__all__ = [
    "FaceCrop",
    "FacePhoto",
    "evaluation_pairs",
    "load_celebamask",
    "load_helen",
    "load_test_crops",
    "part_masks",
    "protocol_crop",
    "read_pts",
    "write_pts",
]
