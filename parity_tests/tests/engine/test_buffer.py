"""NumPy's buffer: the smallest one for long rows, in every thread, and as before afterwards."""

import numpy as np
import pytest

import scratch.nn as nn
from parity_tests.harness.strategies import array
from scratch.kernels import buffer, threads

LAYERS = {
    "LayerNorm": lambda dtype: nn.LayerNorm(600, dtype=dtype),
    "RMSNorm": lambda dtype: nn.RMSNorm(600, dtype=dtype),
    "Softmax": lambda dtype: nn.Softmax(dim=1),
}


@pytest.fixture
def two_threads():
    before = threads.get_num_threads()
    threads.set_num_threads(2)
    yield
    threads.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("row_bytes", [buffer.LONG_ROW - 1, buffer.LONG_ROW])
def test_threads_started_in_it_have_the_same_buffer(row_bytes):
    before, sizes = np.getbufsize(), []
    with buffer.for_rows(row_bytes):
        threads.run(lambda _: sizes.append(np.getbufsize()), range(8))
    assert set(sizes) == {before if row_bytes < buffer.LONG_ROW else buffer.SMALLEST}
    assert np.getbufsize() == before


def test_after_an_error_it_is_as_before():
    before = np.getbufsize()
    with pytest.raises(ZeroDivisionError), buffer.for_rows(buffer.LONG_ROW):
        raise ZeroDivisionError
    assert np.getbufsize() == before


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAYERS)
def test_results_do_not_depend_on_it(name, dtype, monkeypatch):
    x, grad_y = array((900, 600), dtype), array((900, 600), dtype, seed=1)
    results = []
    for long_row in (1, 1 << 40):
        monkeypatch.setattr(buffer, "LONG_ROW", long_row)
        layer = LAYERS[name](dtype)
        y = layer(x)
        results.append([y, layer.backward(grad_y), *[parameter.grad for parameter in layer.parameters()]])
    for with_it, without in zip(*results, strict=True):
        np.testing.assert_array_equal(with_it, without)
