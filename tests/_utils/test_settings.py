"""Settings that several threads share are put back by the last of them."""

import torch

from entropix._utils import SharedSettings
from entropix._utils._device import full_precision
from entropix.detector import deterministic


class Place:
    setting = "usual"


def test_the_last_one_puts_back() -> None:
    place = Place()
    shared = SharedSettings(place, {"setting": "other"})
    first, second = shared.changed(), shared.changed()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert place.setting == "other"
    second.__exit__(None, None, None)
    assert place.setting == "usual"


def test_a_fit_begins_while_another_thread_scores() -> None:
    """`torch.backends.cudnn.flags` refused that, and for good if two scorings had overlapped."""
    first, second = full_precision(), full_precision()
    first.__enter__()
    second.__enter__()
    with deterministic():
        assert torch.backends.cudnn.deterministic
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert torch.backends.cudnn.conv.fp32_precision == torch.backends.cudnn.rnn.fp32_precision
    with torch.backends.cudnn.flags():
        pass
