"""MediaPipe's face landmarker: points, blendshapes, and what its triangles carry."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from facewarp.core.arrays import Points


class Landmarker:
    """MediaPipe's face landmarker: points, blendshapes and pose of the largest face."""

    def __init__(self, path: str, video: bool) -> None:
        import mediapipe as mp
        from mediapipe.tasks.python import vision
        from mediapipe.tasks.python.core.base_options import BaseOptions

        self._mp, self._video, self._last = mp, video, -1
        mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
        self._net = vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=path),
                running_mode=mode,
                output_face_blendshapes=True,
                output_facial_transformation_matrixes=True,
            )
        )

    def __call__(
        self, image: np.ndarray, time: float = 0.0
    ) -> tuple[np.ndarray, dict[str, float], np.ndarray] | None:
        """Return points (478, 2), values by name and rotation (3, 3); None without a face.

        Points are px of the image, pixel centers at integers: MediaPipe's own are 0 at its edge.
        """
        picture = self._mp.Image(
            image_format=self._mp.ImageFormat.SRGB, data=np.ascontiguousarray(image)
        )
        if self._video:
            self._last = max(self._last + 1, round(time * 1000))
            found = self._net.detect_for_video(picture, self._last)
        else:
            found = self._net.detect(picture)
        if not found.face_landmarks:
            return None
        height, width = image.shape[:2]
        points = np.array([(p.x * width, p.y * height) for p in found.face_landmarks[0]]) - 0.5
        values = {one.category_name: one.score for one in found.face_blendshapes[0]}
        matrix = np.array(found.facial_transformation_matrixes[0])[:3, :3]
        return points, values, matrix / np.linalg.norm(matrix[:, 0])


def follow_landmarks(
    model: Path,
    frames: Sequence[NDArray[np.uint8]],
    times: Sequence[float],
    quiet: Callable[[], AbstractContextManager[None]],
) -> list[Points | None]:
    """Return points (478, 2) of each frame, gray or RGB, in video mode, with its own smoothing.

    None stands for a frame without a face.
    """
    from mediapipe import Image, ImageFormat
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        running_mode=vision.RunningMode.VIDEO,
    )
    found: list[Points | None] = []
    with quiet(), vision.FaceLandmarker.create_from_options(options) as landmarker:
        for frame, time in zip(frames, times, strict=True):
            height, width = frame.shape[:2]
            color = cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB) if frame.ndim == 2 else frame
            picture = Image(ImageFormat.SRGB, np.ascontiguousarray(color))
            faces = landmarker.detect_for_video(picture, round(1000 * time)).face_landmarks
            points = [(p.x * width - 0.5, p.y * height - 0.5) for p in faces[0]] if faces else None
            found.append(None if points is None else np.array(points))
    return found


def triangle_slip(points: Sequence[Points | None], corners: Points) -> tuple[Points, Points]:
    """Slip a frame and drift over a window of corners (T, N, 2) that triangles carry, px."""
    known = [one for one in points if one is not None]
    triangles = Delaunay(known[0])
    corner = triangles.simplices[triangles.find_simplex(corners[0])]

    def weights(where: Points, at: Points) -> Points:
        a, b, c = np.moveaxis(where[corner], 1, 0)
        basis = np.stack([b - a, c - a], axis=-1) + 1e-9 * np.eye(2)
        uv = np.linalg.solve(basis, (at - a)[..., None])[..., 0]
        return np.column_stack([1 - uv.sum(1), uv])

    def carried(where: Points, shares: Points) -> Points:
        return np.asarray((where[corner] * shares[..., None]).sum(1))

    steps = [
        np.linalg.norm(carried(after, weights(before, p)) - p_next, axis=1)
        for before, after, p, p_next in zip(
            known[:-1], known[1:], corners[:-1], corners[1:], strict=True
        )
    ]
    drift = carried(known[-1], weights(known[0], corners[0])) - corners[-1]
    return np.mean(steps, axis=0), np.asarray(np.linalg.norm(drift, axis=1))
