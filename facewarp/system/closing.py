"""Context managers that close themselves at the end."""

from abc import abstractmethod
from typing import Self


class Closing:
    """A context manager: `with` gives the object itself, and calls `close` at the end."""

    @abstractmethod
    def close(self) -> None:
        """Free what the object holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
