"""ModuleList, ModuleDict, ParameterList."""

import numpy as np
import torch

from parity_tests.catalogue.layers import Chain, Scales, TorchChain, TorchScales
from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch import nn

X = array((5, 3))


class InAModuleList(Chain):
    """Two layers in a ModuleList."""

    def __init__(self, dtype=np.float64):
        super().__init__(nn.ModuleList([nn.Linear(3, 4, dtype=dtype), nn.Linear(4, 2, dtype=dtype)]))


def torch_list():
    """Return the same in PyTorch."""
    return TorchChain(torch.nn.ModuleList([torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)]))


@layer(X, of="ModuleList", torch=torch_list, caught="torch", passes_ones=False)
class LayersInAPlainList(InAModuleList):
    """Layers in a plain Python list are not found: no optimizer gets them, and no state dict has them.

    The model computes what it should, but the loss does not fall: the optimizer has no parameters to change.
    """

    def __init__(self, dtype=np.float64):
        super().__init__(dtype)
        layers = list(self.layers)
        del self.layers
        self.layers = layers


class InAModuleDict(Chain):
    """Two layers in a ModuleDict, whose keys are not in alphabetical order."""

    def __init__(self, dtype=np.float64):
        super().__init__(nn.ModuleDict({"up": nn.Linear(3, 3, dtype=dtype), "down": nn.Linear(3, 3, dtype=dtype)}))


def torch_dict():
    """Return the same in PyTorch."""
    return TorchChain(torch.nn.ModuleDict({"up": torch.nn.Linear(3, 3), "down": torch.nn.Linear(3, 3)}))


@layer(X, of="ModuleDict", torch=torch_dict, caught="torch differences", passes_ones=False)
class UndoneInTheOrderOfForward(InAModuleDict):
    """What was applied last is undone first; here backward goes through the dictionary as forward does.

    Where all layers have the same shape there is no error: every layer gets the gradient of another layer's output.
    """

    def backward(self, grad_output):
        for one in self.held():
            grad_output = one.backward(grad_output)
        return grad_output


class InAParameterList(Scales):
    """Two factors in a ParameterList."""

    def __init__(self, dtype=np.float64):
        super().__init__(nn.ParameterList([array((3,), dtype, seed=seed) for seed in (1, 2)]))


def torch_parameters():
    """Return the same in PyTorch."""
    return TorchScales(torch.nn.ParameterList([torch.zeros(3), torch.zeros(3)]))


@layer(X, of="ParameterList", torch=torch_parameters, caught="torch", passes_ones=False)
class ParametersInAPlainList(InAParameterList):
    """Parameters in a plain Python list are not found: no optimizer gets them, and no state dict has them.

    They get gradients, but keep their initial values.
    """

    def __init__(self, dtype=np.float64):
        super().__init__(dtype)
        scales = list(self.scales)
        del self.scales
        self.scales = scales
