"""What CrossEntropyLoss and NLLLoss refuse: what PyTorch refuses, by the same kind of error, and a little more."""

import numpy as np
import pytest
import torch

import scratch.nn as nn
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array
from parity_tests.tests.losses.test_cross_entropy import both, each_loss

SHAPES = [
    ((4, 3), (3,)),
    ((4, 3), ()),
    ((4, 3), (4, 1)),
    ((4, 3), (4, 3)),
    ((4, 3), (4, 2)),
    ((3,), (1,)),
    ((3,), (2,)),
    ((3,), (3,)),
    ((3,), (2, 2)),
    ((2, 3, 5), (2,)),
    ((2, 3, 5), (2, 6)),
    ((2, 3, 5), (3, 5)),
    ((2, 3, 5), (2, 5, 1)),
    ((2, 3, 5), (2, 3, 5)),
    ((2, 3, 5, 4), (2, 5)),
    ((2, 3, 5, 4), (2, 4, 5)),
    ((0, 3), (1,)),
    ((), ()),
]


@each_loss
@pytest.mark.parametrize(("shape", "target_shape"), SHAPES)
def test_shapes_that_torch_refuses_are_refused(name, shape, target_shape):
    criterion, torchs = both(name)
    x, target = np.ones(shape), np.zeros(target_shape, np.int64)
    refuses_as_torch(
        lambda: criterion(x, target),
        lambda: torchs(torch.tensor(x, requires_grad=True), torch.tensor(target)).backward(),
    )


@each_loss
@pytest.mark.parametrize(
    "target",
    [
        np.array([0, 3]),
        np.array([-1, 0]),
        np.array([0, -101]),
        np.array([2**62, -(2**63)]),
        np.array([0, 1], np.int32),
        np.array([0, 1], np.int16),
        np.array([0, 1], np.uint64),
        np.array([True, False]),
        np.array([0.0, 1.0]),
    ],
    ids=str,
)
@pytest.mark.parametrize("ignore_index", [-100, 1])
def test_targets_that_torch_refuses_are_refused(name, target, ignore_index):
    criterion, torchs = both(name, ignore_index=ignore_index)
    x = array((2, 3))
    message = refuses_as_torch(lambda: criterion(x, target), lambda: torchs(torch.tensor(x), torch.tensor(target)))
    assert message.startswith(f"{name}: ")
    if target[1] == 3:
        assert message == f"{name}: target 3 is out of bounds for 3 classes"


@each_loss
@pytest.mark.parametrize("weight", [np.ones(4), np.ones((3, 1)), np.ones(3, np.float32)])
def test_weights_that_torch_refuses_are_refused(name, weight):
    criterion, torchs = both(name, weight)
    x, target = array((2, 3)), np.array([0, 1])
    refuses_as_torch(lambda: criterion(x, target), lambda: torchs(torch.tensor(x), torch.tensor(target)))


def test_options_that_torch_refuses_are_refused():
    x, target = torch.ones(2, 3), torch.tensor([0, 1])
    for options in ({"label_smoothing": 1.1}, {"reduction": "average"}, {"ignore_index": 1.0}):

        def ours(options=options):
            return nn.CrossEntropyLoss(**options)

        def torchs(options=options):
            return torch.nn.CrossEntropyLoss(**options)(x, target)

        refuses_as_torch(ours, torchs)
    for index in (0, 1):  # a class; -1 and less name none
        refuses_as_torch(
            lambda index=index: nn.CrossEntropyLoss(ignore_index=index)(np.ones((2, 3)), np.ones((2, 3))),
            lambda index=index: torch.nn.CrossEntropyLoss(ignore_index=index)(x, torch.ones(2, 3)),
        )


def test_what_scratch_alone_refuses():
    with pytest.raises(RuntimeError, match=r"expected label_smoothing within \[0, 1\], got -0.1"):
        nn.CrossEntropyLoss(label_smoothing=-0.1)
    with pytest.raises(RuntimeError, match=r"expected target .* of dtype float64, got float32"):
        nn.CrossEntropyLoss()(np.ones((2, 3)), np.ones((2, 3), np.float32))
    for name in ("CrossEntropyLoss", "NLLLoss"):
        with pytest.raises(TypeError, match=f"{name}: expected target to be a numpy.ndarray, got list"):
            getattr(nn, name)()(np.ones((2, 3)), [0, 1])
        with pytest.raises(TypeError, match=f"{name}: expected input to be a numpy.ndarray, got list"):
            getattr(nn, name)()([[0.5]], np.array([0]))
        with pytest.raises(TypeError, match=f"{name}: expected weight to be a numpy.ndarray, got list"):
            getattr(nn, name)([1.0, 2.0])
        with pytest.raises(RuntimeError, match=f"{name}: backward was called before forward"):
            getattr(nn, name)().backward()
        criterion = getattr(nn, name)()
        loss = criterion(np.ones((2, 3)), np.array([0, 1]))
        with pytest.raises(RuntimeError, match=f"{name}: backward was given the loss itself"):
            criterion.backward(loss)
        with pytest.raises(TypeError, match=f"{name}: expected grad_output to be a number, got None"):
            criterion.backward(None)
        criterion = getattr(nn, name)(reduction="none")
        criterion(np.ones((2, 3)), np.array([0, 1]))
        with pytest.raises(RuntimeError, match=f"{name}: with reduction='none' the output is an array"):
            criterion.backward()
        with pytest.raises(TypeError):
            getattr(nn, name)(size_average=True)
