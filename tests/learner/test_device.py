"""A device that is not there ends with exit code 5 and a remedy."""

from __future__ import annotations

import pytest
import torch

from streamssl.learner.device import DeviceError, find_device
from streamssl.stream import StreamLearner


def test_a_device_that_is_there_is_taken() -> None:
    """`cpu` is everywhere."""
    assert find_device("cpu") == torch.device("cpu")


def test_an_absent_device_is_told_with_the_remedy() -> None:
    """The error names the setting, what there is, and what to do; the exit code is 5."""
    absent = f"cuda:{torch.cuda.device_count() + 7}"
    with pytest.raises(DeviceError, match=r"learner\.device: .*set learner\.device to cpu") as told:
        StreamLearner.from_config({"learner": {"device": absent}})
    assert told.value.exit_code == 5
