"""Devices of torch."""

import torch

from facewarp.errors import FacewarpError


def present_device(device: str | torch.device) -> torch.device:
    """Return a device of torch, checked by putting a number on it.

    Args:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

    Raises:
        FacewarpError: this machine, or this build of torch, has none of that name.
    """
    try:
        if torch.device(device).type == "meta":  # holds no values
            raise NotImplementedError("meta")
        return torch.zeros(1, device=device).device
    # Torch has these ways to say that it has no such device.
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        raise FacewarpError(
            f"there is no device '{device}' here", fix="Use cpu; facewarp doctor lists devices."
        ) from error
