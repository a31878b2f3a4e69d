"""Thorough face detection in a background thread."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.face.detector import Detection, FaceDetector, Scan

_MOST_AHEAD: Final = 2  # scans begun that nobody has asked for yet


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


class SearchAhead:
    """Begin the thorough searches of a file's frames while earlier frames are still tracked.

    Searches come at a regular interval, so that whoever decodes frames ahead can tell which ones
    will be searched. What a search finds is the same as without; a wrong guess costs its time only,
    and then no more is guessed until the tracker searches regularly again.

    Args:
        detector: what searches; its owner goes on using it, and closes it after this.
        every_s: interval between two searches.
    """

    def __init__(self, detector: FaceDetector, every_s: float) -> None:
        self._detector, self._every_s = detector, every_s
        self._thread = ThreadPoolExecutor(1, "facewarp-search")
        self._lock = threading.Lock()
        self._scans: dict[float, Future[Scan]] = {}
        self._is_regular = True
        self._seen: float | None = None  # the newest frame's time
        self._last: float | None = None  # of the last search, begun or asked for
        self._asked: float | None = None

    def see(self, image: NDArray[Any], time: float) -> None:
        """Look at a frame that was decoded: search it if it is likely to be asked for.

        Args:
            image: H x W x 3, not to be changed.
            time: of the frame, seconds.
        """
        with self._lock:
            before, self._seen = self._seen, time
            if self._last is not None:
                is_due = time - self._last >= self._every_s
                is_late = before is not None and before - self._last >= self._every_s
                if not is_due or is_late:  # a search was due at a frame before this one
                    return
            if self._is_regular and len(self._scans) < _MOST_AHEAD:
                self._last = time
                self._scans[time] = self._thread.submit(self._detector.scan, image)

    def take(self, time: float) -> Scan | None:
        """Return the scan of the frame of a time that is searched now, once it is done.

        Raises:
            FacewarpError: whatever the detector raised.
        """
        with self._lock:
            for unused in [begun for begun in self._scans if begun < time]:
                self._scans.pop(unused).cancel()
                self._is_regular = False
            scan = self._scans.pop(time, None)
            before, self._asked = self._asked, time
            if scan is None:
                self._last = time
                self._is_regular = before is None or time - before < 1.5 * self._every_s
        return None if scan is None else scan.result()

    def begun(self, time: float) -> Scan | None:
        """Return the scan of a frame that is searched later, once it is done; `take` gives it too.

        Args:
            time: of that frame.

        Returns:
            The scan; None where none was begun.

        Raises:
            FacewarpError: whatever the detector raised.
        """
        with self._lock:
            scan = self._scans.get(time)
        return None if scan is None else scan.result()

    def close(self) -> None:
        """Drop what was begun and wait for the thread to end. Twice is harmless."""
        self._thread.shutdown(cancel_futures=True)
