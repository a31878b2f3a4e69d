"""The preview window: live image, overlay and keys.

An image keeps its proportions whatever the window's, and is never changed: what is written is
written on the window's own copy, which has the window's pixels, since OpenCV's own scaling leaves
letters ragged. Keys go to `Controls` and `Actions` (`facewarp.live.interfaces`).
"""

import sys
import time

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import blend
from facewarp.drawing.text import em_of
from facewarp.live.interfaces import Actions, Controls, ProcessedFrame, Record
from facewarp.live.timing import LiveStats
from facewarp.live.window.display import check_display
from facewarp.live.window.help_card import fitting_em, help_card
from facewarp.live.window.hotkeys import Hotkeys
from facewarp.live.window.hud import Hud
from facewarp.media.frames import Frame, Image

_FIRST_SIZE = (1280, 720)  # the largest window at first; the user may enlarge it
_SURROUND = (14, 15, 18)  # RGB beside an image of other proportions than the window


class Window:
    """A presenter that shows every result in a window; made and used in the main thread.

    Args:
        controls: what keys change.
        actions: what keys ask of the session; closing the window stops it.
        title: of the window.

    Raises:
        FacewarpError: there is no display, or OpenCV was built without windows.
    """

    def __init__(self, controls: Controls, actions: Actions, title: str = "facewarp") -> None:
        check_display()
        self._title = title
        self._actions = actions
        self._keys = Hotkeys(controls, actions)
        self._hud = Hud()
        self._hud.say("Press h for help", time.perf_counter())
        self._image: Image | None = None
        self._canvas: NDArray[np.uint8] | None = None
        self._records: tuple[Record, ...] = ()
        self._is_open = self._was_closed = False
        self._fullscreen = False

    def present(self, frame: Frame, made: ProcessedFrame, stats: LiveStats) -> None:
        """See `Presenter.present`."""
        image = cv2.flip(made.image, 1) if made.mirror else made.image  # of this window alone
        self._image, self._records = np.asarray(image, np.uint8), tuple(made.records)
        self._update(stats)

    def idle(self, stats: LiveStats) -> None:
        """See `Presenter.idle`: the last image stays, its overlay is up to date."""
        if self._image is not None or stats.notice:
            self._update(stats)

    def close(self) -> None:
        """See `Presenter.close`."""
        self._keys.close()
        if self._is_open:
            self._is_open = False
            cv2.destroyWindow(self._title)
            cv2.waitKey(1)

    def draw(self, stats: LiveStats, area: tuple[int, int]) -> NDArray[np.uint8]:
        """Return the image with its overlay.

        Args:
            stats: of the session.
            area: (width, height) px of the window's inside.

        Returns:
            (height, width, 3) uint8 RGB of that size, a copy; drawn over by the next call.
        """
        now = time.perf_counter()
        canvas = self._canvas = _framed(self._image, area, self._canvas)
        for line in self._keys.lines():
            self._hud.say(line.text, now, is_error=line.is_error)
        self._hud.shown = self._keys.hud_shown and self._image is not None
        self._hud.draw(canvas, self._records, stats, now)
        if self._keys.help_shown:
            columns = self._keys.sections()
            em = fitting_em(columns, canvas.shape, em_of(canvas.shape))
            card = help_card(columns, "facewarp", em)
            x, y = (canvas.shape[1] - card.shape[1]) // 2, (canvas.shape[0] - card.shape[0]) // 2
            blend(canvas, card, x, y)
        return canvas

    def _update(self, stats: LiveStats) -> None:
        """Show the image and handle the keys that were pressed."""
        area = self._open()
        if area is None:
            return
        canvas = self.draw(stats, area)
        cv2.imshow(self._title, cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR, dst=canvas))
        # Arrows and the like are above 255; GTK adds the state of Shift and Num Lock above 65535.
        key = cv2.waitKeyEx(1) & 0xFFFF
        if 0 < key < 256:
            self._keys.press(chr(key))
        if not _is_visible(self._title):
            self._is_open, self._was_closed = False, True
            self._actions.stop()
        elif self._keys.fullscreen != self._fullscreen:
            self._fullscreen = self._keys.fullscreen
            mode = cv2.WINDOW_FULLSCREEN if self._fullscreen else cv2.WINDOW_NORMAL
            cv2.setWindowProperty(self._title, cv2.WND_PROP_FULLSCREEN, mode)

    def _open(self) -> tuple[int, int] | None:
        """Return (width, height) px of the window's inside; None once it was closed."""
        if self._was_closed:  # showing an image would open it again
            return None
        if not self._is_open:
            flags = cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL
            cv2.namedWindow(self._title, flags)
            image = self._image
            size = _FIRST_SIZE if image is None else _scaled(image.shape, _FIRST_SIZE)
            cv2.resizeWindow(self._title, *size)
            self._is_open = True
        width, height = cv2.getWindowImageRect(self._title)[2:]
        if width <= 0 or height <= 0:
            return _FIRST_SIZE
        if sys.platform == "darwin" and self._image is not None and self._image.shape[1] > width:
            return 2 * width, 2 * height  # macOS counts in points, each of which may be 2 x 2 px
        return width, height


def _is_visible(title: str) -> bool:
    """Return whether a window is still there; Qt's last one takes OpenCV's answers with it."""
    try:
        return bool(cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) >= 1)
    except cv2.error:
        return False


def _framed(
    image: Image | None, area: tuple[int, int], canvas: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """Fit a copy of an image into an area, centered, in a canvas of that size."""
    if canvas is None or canvas.shape[1::-1] != area:
        canvas = np.empty((area[1], area[0], 3), np.uint8)
    if image is None:
        canvas[:] = _SURROUND
        return canvas
    (width, height), inside = area, _scaled(image.shape, area)
    left, top = (width - inside[0]) // 2, (height - inside[1]) // 2
    right, bottom = left + inside[0], top + inside[1]
    for beside in (canvas[:top], canvas[bottom:], canvas[:, :left], canvas[:, right:]):
        beside[:] = _SURROUND
    target = canvas[top:bottom, left:right]
    if target.shape == image.shape:
        target[:] = image
    else:
        coarser = 2 * inside[0] <= image.shape[1]
        method = cv2.INTER_AREA if coarser else cv2.INTER_LINEAR
        cv2.resize(image, inside, dst=target, interpolation=method)
    return canvas


def _scaled(shape: tuple[int, ...], area: tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) of an image of a shape, as large as fits an area."""
    scale = min(area[0] / shape[1], area[1] / shape[0])
    return tuple(  # type: ignore[return-value]
        min(limit, max(1, round(scale * size)))
        for size, limit in zip(shape[1::-1], area, strict=True)
    )
