"""Thorough face detection in a background thread."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewarp.face.detector import Detection, FaceDetector


class BackgroundSearch:
    """Detect faces in one copy of a frame at a time, in a thread of its own.

    Args:
        detector: what searches; its owner goes on using it, and closes it after this.
    """

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._thread = ThreadPoolExecutor(1, "facewarp-search")
        self._search: Future[list[Detection]] | None = None

    @property
    def running(self) -> bool:
        """Whether a search has begun whose findings were not taken yet."""
        return self._search is not None

    def begin(self, image: NDArray[Any], thorough: bool | None) -> None:
        """Search a frame, as `FaceDetector.detect` does, unless a search is running."""
        if self._search is None:
            copy = np.array(image)
            self._search = self._thread.submit(self._detector.detect, copy, thorough=thorough)

    def take(self) -> list[Detection]:
        """What the search has found once it is done, best first; empty until then.

        Raises:
            FacewarpError: whatever the detector raised.
        """
        if self._search is None or not self._search.done():
            return []
        search, self._search = self._search, None
        return search.result()

    def forget(self) -> None:
        """Discard the result of the search under way."""
        if self._search is not None:
            self._search.cancel()
            self._search = None

    def close(self) -> None:
        """Wait for the thread to end. Twice is harmless."""
        self.forget()
        self._thread.shutdown()
