"""Score of a registration by its parts: what the scores of faces and of hearts share."""

from collections.abc import Sequence

from facewarp.core.arrays import FloatArray
from facewarp.core.metrics import mean_over_present


class PartScore:
    """Dice of the parts, warped and unregistered.

    Attributes:
        dice_initial: mean Dice over the parts present, unregistered, 0 to 1.
        dice: Dice of each foreground part, NaN where absent in both images.
    """

    dice_initial: float
    dice: FloatArray

    @property
    def dice_mean(self) -> float:
        """Mean Dice over the parts present, 0 to 1."""
        return mean_over_present(self.dice)

    def dice_columns(self, parts: Sequence[str]) -> dict[str, float]:
        """Return initial, mean and single Dice in percent, as columns of a table."""
        return {
            "dice_initial": 100 * self.dice_initial,
            "dice_mean": 100 * self.dice_mean,
            **{f"dice_{part}": 100 * float(v) for part, v in zip(parts, self.dice, strict=True)},
        }
