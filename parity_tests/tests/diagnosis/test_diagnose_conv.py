"""Likely mistakes in a convolution: windows that overlap, kernels flipped or transposed, patches copied elsewhere."""

import numpy as np
import pytest

import scratch.nn as nn
from parity_tests.tests.diagnosis.test_diagnose import CONV, IMAGE, report, wrong


def test_overlapping_windows_overwrite_each_other():
    def backward(self, g):
        kernel, grad_input = self.weight.data, np.zeros_like(IMAGE)
        self.right(g)
        for i, j in np.ndindex(g.shape[2:]):
            grad_input[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] = np.tensordot(g[:, :, i, j], kernel, (1, 0))
        return grad_input

    said = str(report(wrong(nn.Conv2d, backward=backward), CONV, IMAGE, stride=2))
    assert "where windows overlap, the last one overwrites the others" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda kernel: kernel[..., ::-1, ::-1], "weight is flipped: the kernel must be flipped in backward"),
        (lambda kernel: kernel[..., ::-1, :], "weight is flipped along axis 2 only"),
        (lambda kernel: kernel[..., ::-1], "weight is flipped along axis 3 only"),
        (lambda kernel: kernel.swapaxes(2, 3), "the two axes of the kernel weight are swapped"),
        (lambda kernel: kernel.swapaxes(0, 1), "weight is transposed once too often, or not at all"),
    ],
)
def test_a_kernel_used_in_another_way_in_backward(change, words):
    def backward(self, g):
        kernel = self.weight.data.copy()
        self.weight.data[...] = change(kernel)  # in place: backward reads the array that forward read
        grad_input = self.right(g)
        self.weight.data[...] = kernel
        return grad_input

    said = str(report(wrong(nn.Conv2d, backward=backward), CONV, IMAGE, padding=1))
    assert f"grad_input: {words}" in said


def test_patches_cut_without_the_stride():
    def backward(self, g):
        grad_input = self.right(g)
        for i, j in np.ndindex(3, 3):
            patch = IMAGE[:, :, i : i + g.shape[2], j : j + g.shape[3]]
            self.weight.grad[:, :, i, j] = np.tensordot(g, patch, ((0, 2, 3), (0, 2, 3)))
        return grad_input

    said = str(report(wrong(nn.Conv2d, backward=backward), CONV, IMAGE, stride=2))
    assert "grad_weight: computed from patches cut as if stride were 1" in said
