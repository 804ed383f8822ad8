"""Products that are divided among the threads are the products, and hold nobody up."""

import sys
import threading
import time

import numpy as np
import pytest

from scratch.kernels import products, threads


@pytest.mark.parametrize(
    ("rows", "inner", "columns", "stack"),
    [
        (1, 700, 700, ()), (700, 700, 1, ()), (5, 7, 3, ()), (129, 64, 64, ()), (257, 99, 130, ()), (64, 99, 330, ()),
        (65, 30, 64, (16,)), (65, 90, 64, (1,)), (33, 90, 264, (7,)), (0, 3, 4, ()), (5, 0, 4, (3,)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("has_room", [False, True])
@pytest.mark.parametrize("within", [False, True])
def test_a_shared_product_is_the_product(count, rows, inner, columns, stack, has_room, within, monkeypatch):
    monkeypatch.setattr(products, "SMALL_PRODUCT", 1 << 16)
    rng = np.random.default_rng(rows)
    a, b = rng.normal(size=(*stack, rows, inner)), rng.normal(size=(*stack, inner, columns))
    expected = np.matmul(a, b)
    found = []

    def multiply(_):
        room = np.full(expected.shape, np.nan) if has_room else None
        product = products.matmul(a, b, out=room)
        assert not has_room or product is room
        found.append((product, products.matmul(a.swapaxes(-1, -2), product)))

    threads.run(multiply, range(2 if within else 1))
    assert len(found) == 1 + within
    for product, transposed in found:
        np.testing.assert_allclose(product, expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(transposed, np.matmul(a.swapaxes(-1, -2), expected), rtol=0, atol=1e-9)


@pytest.mark.parametrize("small", [0, 1 << 16, 1 << 30])
@pytest.mark.parametrize("wanted", [(True, True), (True, False), (False, True), (False, False)])
def test_several_shared_products_are_the_products(wanted, small, monkeypatch):
    monkeypatch.setattr(products, "SMALL_PRODUCT", small)
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(70, 90)), rng.normal(size=(90, 2)), rng.normal(size=(70, 53))
    pairs = [pair if is_wanted else None for pair, is_wanted in zip([(a, b), (a.T, c)], wanted, strict=True)]
    for product, pair in zip(products.matmuls(*pairs), pairs, strict=True):
        assert (product is None) == (pair is None)
        if pair is not None:
            np.testing.assert_allclose(product, pair[0] @ pair[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("rows", "columns"), [(90, 40), (40, 90)])
@pytest.mark.parametrize(("of_a", "of_b"), [((), (4,)), ((4,), ()), ((4,), (1,)), ((1,), (4,)), ((2, 3), (2, 1))])
def test_stacks_broadcast_on_threads_too(rows, columns, of_a, of_b, monkeypatch):
    monkeypatch.setattr(products, "SMALL_PRODUCT", 1 << 10)
    rng = np.random.default_rng(rows)
    a, b = rng.normal(size=(*of_a, rows, 30)), rng.normal(size=(*of_b, 30, columns))
    np.testing.assert_allclose(products.matmul(a, b), a @ b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "columns", "parts"),
    [((3, 700), 700, 4), ((700, 700), 3, 4), ((12, 64, 64), 64, 4), ((1, 700), 700, 0), ((700, 700), 1, 0)],
)
def test_few_rows_are_shared_out_by_their_columns_but_not_a_single_one(shape, columns, parts, monkeypatch):
    shared = []
    monkeypatch.setattr(products, "SMALL_PRODUCT", 1 << 16)
    monkeypatch.setattr(threads, "_num_threads", 5)
    monkeypatch.setattr(threads, "_touched", 5)
    monkeypatch.setattr(threads, "run", lambda task, items: shared.extend(items))
    products.matmul(np.ones(shape), np.ones((*shape[:-2], shape[-1], columns)))
    assert len(shared) == parts


@pytest.mark.parametrize(
    ("rows", "k", "columns"), [(0, 2, 3), (1, 1, 1), (7, 3, 2), (996, 1, 64), (997, 9, 32), (60, 40, 30)]
)
@pytest.mark.parametrize("stack", [(), (3,)])
def test_a_sum_of_products_is_the_product(rows, k, columns, stack):
    rng = np.random.default_rng(rows)
    a, b = rng.normal(size=(*stack, rows, k)), rng.normal(size=(*stack, columns, rows)).swapaxes(-1, -2)
    total = products.sum_products(a, b)
    assert total.shape == (*stack, k, columns)
    np.testing.assert_allclose(total, np.einsum("...rk,...rl->...kl", a, b), rtol=0, atol=1e-12)
    ones = np.ones((*[1 for _ in stack], rows, 1))
    np.testing.assert_allclose(products.sum_products(ones, b)[..., 0, :], b.sum(axis=-2), rtol=0, atol=1e-12)


def test_nothing_waits_for_a_sum_of_products():
    """While one thread sums a great many rows, another still gets the GIL again and again."""
    a, b = np.ones((1 << 20, 1), np.float32), np.ones((1 << 20, 8), np.float32)
    begun, done, turns = threading.Event(), threading.Event(), 0

    def sum_up():
        begun.set()
        for _ in range(5):
            products.sum_products(a, b)
        done.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # nobody is made to let go of the lock
    try:
        thread = threading.Thread(target=sum_up)
        thread.start()
        begun.wait()
        while not done.is_set():
            time.sleep(0)  # lets go of the lock, and waits for it
            turns += 1
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert turns > 5
