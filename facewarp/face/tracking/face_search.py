"""The search for faces that are not followed yet: when it is due, how thorough, in which thread."""

import math
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.face.boxes import Box, center_of, side_of, square_at
from facewarp.face.detector import Detection, FaceDetector, Scan
from facewarp.face.tracking.track import TrackerConfig, is_among

_COUNT_EVERY_S: Final = 2.0  # how often faces are counted that can't be followed any more
_NEAR: Final = 3.0  # side of the window, in faces, in which a doubtful face is looked for
_MOST_AHEAD: Final = 2  # scans begun that nobody has asked for yet


class FaceSearch:
    """Look for the faces that a tracker does not follow yet, and again for those it doubts.

    A quick look shows large faces; a thorough search, seldom, small ones too.

    Args:
        detector: what sees faces; its owner closes it after this.
        config: how often to look and to search.
        threaded: search thoroughly in a thread, so that no frame waits for it.

    Attributes:
        seconds: time spent on detection since it was last set to 0.
        looked: time of the last frame that was looked over; -inf before the first.
    """

    def __init__(self, detector: FaceDetector, config: TrackerConfig, *, threaded: bool) -> None:
        self._detector, self._config = detector, config
        self._background = BackgroundSearch(detector) if threaded else None
        self._ahead: SearchAhead | None = None
        self._sightings: list[Detection] = []  # of the background search, not looked at yet
        self.seconds = 0.0
        self.looked = self._searched = -math.inf

    def reset(self) -> None:
        """Forget when was searched, and what the background search is about to find."""
        self._sightings = []
        self.looked = self._searched = -math.inf
        if self._background is not None:
            self._background.forget()

    def take_over(self, other: "FaceSearch") -> None:
        """Go on at another search's pace."""
        self.looked, self._searched = other.looked, other._searched

    def look_at_once(self) -> None:
        """Look over the frame at hand for further faces, whatever the time since the last one."""
        self.looked = -math.inf

    def soon(self) -> None:
        """Search the next frame thoroughly, whatever the time since the last search."""
        self._searched = -math.inf

    def counts(self, time: float) -> bool:
        """Return whether faces are to be counted though no more can be followed."""
        return self._config.offline and time - self._searched >= _COUNT_EVERY_S

    def look(
        self, image: NDArray[np.generic], followed: Sequence[Box], time: float
    ) -> list[Detection]:
        """Run the quick or the thorough detection, whichever is due.

        Args:
            image: H x W [x 3] frame.
            followed: boxes of the faces that are followed in it.
            time: of the frame, s.

        Returns:
            What was seen, followed faces perhaps among it; empty where nothing is due.
        """
        config = self._config
        found = self._sighted(image, followed)
        every_s = config.search_beside_every_s if followed else config.search_every_s
        is_search = time - self._searched >= every_s
        if followed and not is_search and time - self.looked < config.look_every_s:
            return found
        self.looked = time
        thorough: bool | None = False
        if is_search:
            is_first = self._searched == -math.inf
            is_exhaustive = config.offline or (is_first and config.faces > 1)
            thorough = True if followed or is_exhaustive else None
            self._searched = time
        if self._background is not None and thorough is not False:
            self._background.begin(image, thorough)
            thorough = False
        with self._timed():
            scan = self._ahead.take(time) if self._ahead is not None and thorough else None
            return found + self._detector.detect(
                image,
                thorough=thorough,
                is_known=lambda candidate: is_among(expected_box(candidate), followed),
                **({} if scan is None else {"scan": scan}),
            )

    def cut_off(self, image: NDArray[np.generic], time: float) -> Detection | None:
        """Return what may be a face larger than the frame, where that was searched thoroughly.

        Args:
            image: H x W [x 3] frame.
            time: of the frame, s.
        """
        if time != self._searched:
            return None
        with self._timed():
            return self._detector.cut_off(image)

    def near(self, image: NDArray[np.generic], box: Box, others: Sequence[Box]) -> Detection | None:
        """Return the detection closest to where a face was last, if it is no other face's.

        Args:
            image: H x W [x 3] frame.
            box: where the face was.
            others: boxes of the other faces.
        """
        center, reach = center_of(box), 0.5 * _NEAR * side_of(box)
        low = np.floor(center - reach).clip(0).astype(int)
        high = np.ceil(center + reach).clip(0).astype(int)
        window = image[low[1] : high[1], low[0] : high[0]]
        if window.size == 0:
            return None
        with self._timed():
            found = [_moved(detection, low) for detection in self._detector.detect(window)]
        free = [detection for detection in found if not is_among(expected_box(detection), others)]
        return min(free, key=lambda d: float(np.linalg.norm(d.center - center)), default=None)

    @contextmanager
    def begun_ahead(self) -> Iterator["SearchAhead"]:
        """Let thorough searches begin early, while this lasts, see `SearchAhead`."""
        self._ahead = SearchAhead(self._detector, self._config.search_beside_every_s)
        try:
            yield self._ahead
        finally:
            self._ahead.close()
            self._ahead = None

    @property
    def is_ahead(self) -> bool:
        """Whether searches begin early."""
        return self._ahead is not None

    def sees_others_ahead(
        self, image: NDArray[np.generic], time: float, boxes: Sequence[Box]
    ) -> bool:
        """Return whether the search of a later frame will find others than the faces of boxes.

        False where it finds none; True where it does, or has not begun early.
        """
        scan = None if self._ahead is None else self._ahead.begun(time)
        if scan is None:
            return True
        return bool(
            self._detector.detect(
                image,
                thorough=True,
                is_known=lambda candidate: is_among(expected_box(candidate), boxes),
                scan=scan,
            )
        )

    def close(self) -> None:
        """End the thread. Twice is harmless."""
        if self._background is not None:
            self._background.close()

    def _sighted(self, image: NDArray[np.generic], followed: Sequence[Box]) -> list[Detection]:
        """One of those faces that the background search saw, where it is by now.

        One in each frame, since it takes a further look and a registration.
        """
        if self._background is not None:
            self._sightings += self._background.take()
        while self._sightings:
            square = expected_box(self._sightings.pop(0))
            if not is_among(square, followed):
                seen = self.near(image, square, followed)
                return [] if seen is None else [seen]
        return []

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began = perf_counter()
        yield
        self.seconds += perf_counter() - began


def expected_box(detection: Detection) -> Box:
    """Return where the detector expects the landmarks."""
    return square_at(*detection.square())


def _moved(detection: Detection, by: NDArray[np.integer]) -> Detection:
    """Return a detection in a window, in px of the frame that the window begins at (x, y) of."""
    return Detection.around(
        detection.center + by, detection.side, detection.score, detection.keypoints + by
    )


class BackgroundSearch:
    """Detect faces in one copy of a frame at a time, in a thread of its own.

    Args:
        detector: what searches; its owner goes on using it, and closes it after this.
    """

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._thread = ThreadPoolExecutor(1, "facewarp-search")
        self._search: Future[list[Detection]] | None = None

    def begin(self, image: NDArray[Any], thorough: bool | None) -> None:
        """Search a frame, as `FaceDetector.detect` does, unless a search is running."""
        if self._search is None:
            copy = np.array(image)
            self._search = self._thread.submit(self._detector.detect, copy, thorough=thorough)

    def take(self) -> list[Detection]:
        """Return what the search has found once it is done, best first; empty until then.

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
