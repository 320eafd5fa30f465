"""Where the networks run, and what is loaded before the first of them is built."""

from __future__ import annotations

import torch

from streamssl.config.sections import LearnerConfig
from streamssl.data.events import StreamsslError


class DeviceError(StreamsslError):
    """The configured device is not there."""

    exit_code = 5


def find_device(name: str) -> torch.device:
    """The device of a name such as `cpu`, `cuda` or `cuda:1`.

    Raises:
        DeviceError: This machine has none of that name.
    """
    device = torch.device(name)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        raise DeviceError(
            f"learner.device: {name!r} is not there: torch {torch.__version__} sees {count} CUDA "
            "devices; set learner.device to cpu, or mend the driver (nvidia-smi tells of it)"
        )
    return device


def prepare(config: LearnerConfig) -> None:
    """Find the device, and load what torch loads only when it first optimises: it takes seconds.

    Raises:
        DeviceError: The configured device is not there.
    """
    find_device(config.device)
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)], fused=True)
