"""Options have PyTorch's names, order and defaults, in every layer, loss, optimizer and scheduler."""

import inspect

import pytest
import torch

from parity_tests.harness.torch_releases import NORMALIZATION_HAS_BIAS
from scratch import nn, optim
from scratch.optim import lr_scheduler

LIBRARIES = ((nn, torch.nn), (optim, torch.optim), (lr_scheduler, torch.optim.lr_scheduler))
WITH_BIAS = {"BatchNorm1d", "BatchNorm2d", "GroupNorm", "InstanceNorm2d"}
STACKS = {"RNN", "GRU", "LSTM"}  # PyTorch's take their options as *args
PAIRS = {
    name: (getattr(ours, name), getattr(theirs, name))
    for ours, theirs in LIBRARIES
    for name in ours.__all__
    if inspect.isclass(getattr(ours, name)) and hasattr(theirs, name) and name not in {"Module", "Sequential", *STACKS}
}


def options(cls):
    return [
        (option.name, option.default)
        for option in inspect.signature(cls).parameters.values()
        if option.name not in ("dtype", "data")  # NumPy's own
    ]


@pytest.mark.parametrize("name", PAIRS)
def test_options_are_torchs(name):
    ours, theirs = map(options, PAIRS[name])
    if name in WITH_BIAS and not NORMALIZATION_HAS_BIAS:
        ours.remove(("bias", True))
    names = [option for option, _ in ours]
    assert ours == [(option, default) for option, default in theirs if option in names]


@pytest.mark.parametrize("name", sorted(STACKS))
def test_the_defaults_of_stacks_are_what_torchs_have(name):
    made = getattr(torch.nn, name)(3, 4)
    defaults = {option: default for option, default in options(getattr(nn, name)) if default is not inspect._empty}
    assert len(defaults) >= 5
    assert defaults == {option: getattr(made, option) for option in defaults}
