"""What the files of a result folder have in common."""

from typing import Final

MARK: Final = "indices.json"
"""The file by which a folder is known as results of facewarp; it is written last."""

CYCLE_S: Final = 1.0
"""Length of a cycle, in seconds, where the scan does not tell its time step: films play so."""
