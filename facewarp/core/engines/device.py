"""Devices of torch."""

import torch

from facewarp.errors import FacewarpError


def present_device(device: str | torch.device) -> torch.device:
    """Return a device of torch, checked by putting a number on it and reading it back.

    Args:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

    Raises:
        FacewarpError: this machine, or this build of torch, has none of that name.
    """
    try:
        number = torch.zeros(1, device=device)
        number.item()  # "meta" holds none
        return number.device
    # Torch has these ways to say that it has no such device.
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        raise FacewarpError(
            f"there is no device '{device}' here", fix="Use cpu; facewarp doctor lists devices."
        ) from error
