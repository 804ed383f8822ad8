"""Options have PyTorch's names, order and defaults, in every layer, loss, optimizer and scheduler."""

import inspect

import pytest
import torch
from torch.nn.functional import relu

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
        (option.name, "relu" if option.default is relu else option.default)  # the name does not need the function
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


def left_out(cls, reference):
    """Return the options that PyTorch has by name and this class has not."""
    taken = inspect.signature(cls).parameters
    if any(option.kind is option.VAR_KEYWORD for option in taken.values()):
        return []
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    options = inspect.signature(reference).parameters.values()
    return [option.name for option in options if option.kind in named and option.name not in taken]


@pytest.mark.parametrize("name", PAIRS)
def test_an_option_that_is_left_out_is_refused_by_name(name):
    ours, theirs = PAIRS[name]
    for option in left_out(ours, theirs):
        with pytest.raises(TypeError, match=rf"\b{option}\b"):
            ours(**{option: True})


def test_what_is_left_out_of_a_library_or_a_class_is_an_attribute_error():
    for library, name in ((nn, "Conv3d"), (optim, "LBFGS"), (nn.Linear(2, 2), "half")):
        with pytest.raises(AttributeError, match=name):
            getattr(library, name)
    with pytest.raises(TypeError, match="device"):
        nn.Linear(2, 2, device="cpu")
    assert left_out(nn.Linear, torch.nn.Linear) == ["device"]
    assert {"foreach", "fused"} <= set(left_out(optim.Adam, torch.optim.Adam))
