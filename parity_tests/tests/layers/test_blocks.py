"""Work in blocks: every element is computed once, and layers in many blocks give what PyTorch gives."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.strategies import array, dtypes, layouts, random_state, seeds
from scratch.kernels import batchnorm_images, blocks, memory, rows, threads
from scratch.kernels.expm1 import FAR, expm1_and_slope_below, expm1_below
from scratch.kernels.log1p import log1p_and_sigmoid

each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def small_blocks(monkeypatch, request):
    """Cut arrays of a few hundred numbers into many blocks, in pooled memory."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1 << 9)
    monkeypatch.setattr(blocks, "BLOCK_BYTES_WITH_POWERS", {4: 1 << 9, 8: 1 << 9})
    monkeypatch.setattr(rows, "BLOCK_BYTES", 1 << 9)
    monkeypatch.setattr(batchnorm_images, "BLOCK_BYTES", 1 << 9)
    monkeypatch.setattr(batchnorm_images, "DOT_PLACES", range(8, 1 << 13))
    monkeypatch.setattr(memory, "SMALLEST", 1)
    monkeypatch.setattr(threads, "CACHE_BYTES", 1 << 11)
    before = threads.get_num_threads()
    threads.set_num_threads(request.param)
    blocks._constant.cache_clear()
    yield
    threads.set_num_threads(before)
    blocks._constant.cache_clear()  # theirs are as short as the blocks


ELEMENTWISE = {
    "ReLU": {},
    "LeakyReLU": {"negative_slope": 0.3},
    "ELU": {"alpha": 0.7},
    "SELU": {},
    "CELU": {"alpha": 0.5},
    "GELU": {},
    "Sigmoid": {},
    "Tanh": {},
    "SiLU": {},
    "Mish": {},
    "Softplus": {"beta": 2.0, "threshold": 1.0},
    "LogSigmoid": {},
    "Hardtanh": {"min_val": -0.5, "max_val": 0.8},
}
CASES = [
    *[(name, (), kwargs, (5, 3, 9, 7)) for name, kwargs in ELEMENTWISE.items()],
    ("GELU", ("tanh",), {}, (5, 3, 9, 7)),
    ("ELU", (2.0,), {}, (5, 3, 9, 7)),
    ("LayerNorm", (13,), {}, (37, 13)),
    ("LayerNorm", (13,), {"elementwise_affine": False}, (37, 13)),
    ("RMSNorm", (13,), {}, (37, 13)),
    ("RMSNorm", (13,), {"elementwise_affine": False}, (37, 13)),
    ("GroupNorm", (2, 6), {}, (17, 6, 5, 3)),
    ("GroupNorm", (2, 6), {"affine": False}, (17, 6, 5, 3)),
    ("InstanceNorm2d", (6,), {"affine": True, "track_running_stats": True}, (17, 6, 5, 3)),
    ("BatchNorm1d", (6,), {}, (17, 6, 11)),
    ("BatchNorm2d", (6,), {}, (17, 6, 5, 3)),
    ("BatchNorm2d", (6,), {"affine": False}, (17, 6, 5, 3)),
    ("Softmax", (1,), {}, (37, 13)),
    ("Softmax", (1,), {}, (17, 6, 5, 3)),
    ("Softmax", (0,), {}, (481,)),
]


@pytest.mark.usefixtures("small_blocks")
@each_dtype
@pytest.mark.parametrize("layout", ["C", "channels-last"])
@pytest.mark.parametrize(("name", "args", "kwargs", "shape"), CASES, ids=str)
def test_layers_in_many_blocks_are_torchs(name, args, kwargs, shape, layout, dtype):
    owns = any(base.__name__ in ("RowNorm", "ChannelNorm") for base in getattr(nn, name).__mro__)
    layer = getattr(nn, name)(*args, **kwargs, **({"dtype": dtype} if owns else {}))
    x = 2 * array(shape, dtype, layout=layout)
    check(random_state(layer), getattr(torch.nn, name)(*args, **kwargs), x).raise_if_different()
    if name.startswith(("Batch", "Instance")):
        check(random_state(layer).eval(), getattr(torch.nn, name)(*args, **kwargs), x).raise_if_different()


@pytest.mark.usefixtures("small_blocks")
def test_what_nobody_reads_is_left_out():
    x = array((37, 13))
    for build in (nn.LayerNorm, nn.RMSNorm):
        for wanted in ("weight", "bias"):
            layer = random_state(build(13, dtype=np.float64)).requires_input_grad_(False)
            for name, parameter in layer.named_parameters():
                parameter.requires_grad = name == wanted
            expected = random_state(build(13, dtype=np.float64))
            with scratch.plain():
                expected(x)
                expected.backward(array((37, 13), seed=1))
            layer(x)
            layer.backward(array((37, 13), seed=1))
            for (name, ours), theirs in zip(layer.named_parameters(), expected.parameters(), strict=True):
                if name == wanted:
                    np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-12, atol=1e-12)
                else:
                    assert ours.grad is None


@given(
    count=st.integers(0, 500),
    item_bytes=st.integers(0, 64),
    block_bytes=st.integers(1, 300),
    multiple=st.integers(1, 9),
)
def test_blocks_divide_all_there_is(count, item_bytes, block_bytes, multiple):
    parts = blocks.blocks(count, item_bytes, block_bytes, multiple)
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    assert (parts[0].start, parts[-1].stop) == (0, count)
    sizes = [part.stop - part.start for part in parts]
    if len(parts) > 1:
        assert all(size % multiple == 0 for size in sizes[:-1])
        assert len(set(sizes[:-1])) == 1
        assert 0 < sizes[-1] <= sizes[0]
        assert sizes[0] * item_bytes < block_bytes + multiple * item_bytes


@pytest.mark.parametrize(("count", "parts"), [(8, 1), (9, 2), (16, 2), (17, 4), (24, 4), (25, 4), (33, 6)])
def test_blocks_are_an_even_number_or_one(count, parts):
    assert len(blocks.blocks(count, 4, 32)) == parts


def work_at_every_place(shape, passes, dtype, layout, seed):
    """Compare sums and products with NumPy's, and their memory order with the first argument's."""
    x, g = array(shape, dtype, seed=seed, layout=layout), array(shape, dtype, seed=seed + 1)

    def work(x, g, total, product):
        assert x.ndim == g.ndim == total.ndim == product.ndim == 1
        np.add(x, g, out=total)
        np.multiply(x, g, out=product)

    for found, expected in zip(blocks.elementwise(work, x, g, results=2, passes=passes), (x + g, x * g), strict=True):
        assert found.dtype == x.dtype
        assert not x.size or memory.is_channels_last(found) == memory.is_channels_last(x)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("small_blocks")
@given(
    shape=st.lists(st.integers(0, 9), max_size=4).map(tuple), passes=st.sampled_from([1, 2, 9]), dtype=dtypes,
    layout=layouts, seed=seeds,
)  # fmt: skip
def test_elementwise_work_is_done_at_every_place(shape, passes, dtype, layout, seed):
    work_at_every_place(shape, passes, dtype, layout, seed)


@each_dtype
@pytest.mark.parametrize("layout", ["C", "channels-last"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 3, 4), (2, 3, 4, 5)], ids=str)
def test_so_it_is_on_small_arrays(shape, layout, dtype):
    work_at_every_place(shape, 1, dtype, layout, 0)


@pytest.mark.parametrize(
    ("passes", "dtype", "count"),
    [(1, "float32", 2), (10, "float32", 2), (11, "float32", 4), (10, "float64", 2), (11, "float64", 8)],
)
def test_work_that_keeps_powers_has_short_blocks(passes, dtype, count):
    lengths = []
    x = np.zeros(2 * blocks.BLOCK_BYTES // np.dtype(dtype).itemsize, dtype)
    blocks.elementwise(lambda x, y: lengths.append(len(x)), x, passes=passes)
    assert lengths == [len(x) // count] * count


def test_blocks_begin_at_cache_lines():
    begins = []
    x = np.arange(3.0 * blocks.BLOCK_BYTES // 8 + 5)
    blocks.elementwise(lambda x, y: begins.append(int(x[0])), x, passes=2)
    assert len(begins) == 4
    assert all(begin * 8 % blocks.CACHE_LINE == 0 for begin in begins)


def test_equal_numbers_are_shared_and_not_to_be_changed():
    numbers = blocks.constant(2.5, np.zeros(7, np.float32))
    np.testing.assert_array_equal(numbers, np.full(7, 2.5, np.float32))
    assert numbers.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        numbers[0] = 1


@each_dtype
def test_log1p_and_the_sigmoid_keep_their_digits(dtype):
    x = np.concatenate([np.linspace(-80, 80, 4001), np.linspace(-1, 1, 1001)]).astype(dtype)
    log, sigmoid = np.empty_like(x), np.empty_like(x)
    log1p_and_sigmoid(x, log, sigmoid)
    e = [math.exp(-abs(value)) for value in x.tolist()]
    eps = np.finfo(dtype).eps
    # The exponent is rounded, so the exponential may be off by as many units as the exponent is large.
    allowed = (6 + np.abs(x.astype(float))) * eps
    assert (np.abs(log / np.array([math.log1p(value) for value in e]) - 1) <= allowed).all()
    exact = [1 / (1 + e) if value >= 0 else e / (1 + e) for value, e in zip(x.tolist(), e, strict=True)]
    assert (np.abs(sigmoid / np.array(exact) - 1) <= allowed).all()


@each_dtype
def test_expm1_of_negative_numbers_keeps_its_digits(dtype):
    x = np.concatenate([-np.logspace(-30, 2.5, 4001), np.linspace(-20, 0, 2001)]).astype(dtype)
    exact = np.array([math.expm1(value) for value in x.tolist()])
    found = expm1_below(x, np.empty_like(x))
    assert (np.abs(found - exact) <= 5 * np.finfo(dtype).eps * np.abs(exact)).all()
    far = np.array([FAR, 2 * FAR, -np.inf, -1e30, np.nan, -0.0, 0.0], dtype)
    expected = np.array([math.expm1(FAR), -1, -1, -1, np.nan, 0, 0])
    np.testing.assert_allclose(expm1_below(far, np.empty_like(far)), expected, rtol=4 * np.finfo(dtype).eps)


def test_the_slope_of_expm1_keeps_its_digits_where_little_is_left_of_it():
    x = np.linspace(-80, 0, 4001, dtype=np.float32)
    e, slope = np.empty((2, *x.shape), x.dtype)
    expm1_and_slope_below(x, e, slope)
    exact = np.array([math.exp(value) for value in x.tolist()])
    assert (np.abs(slope / exact - 1) <= 4 * np.finfo(x.dtype).eps).all()
