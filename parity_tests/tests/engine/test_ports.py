"""Well-known programs, ported: 20 steps by hand give the same losses as 20 steps by autograd."""

import importlib

import numpy as np
import pytest

from parity_tests.ports import PORTS, STEPS


@pytest.mark.parametrize("name", PORTS)
def test_a_port_has_the_losses_of_its_original(name):
    port = importlib.import_module(f"parity_tests.ports.{name}")
    by_hand, by_autograd = list(port.by_hand()), list(port.by_autograd())
    assert len(by_hand) == STEPS
    assert len(set(by_hand)) == STEPS, "a loss that does not move says nothing about gradients"
    np.testing.assert_allclose(by_hand, by_autograd, rtol=1e-12)
