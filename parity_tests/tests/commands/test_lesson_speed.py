"""The lesson on speed: every rung has the same result, and what the lesson says of shapes, counts and names is true."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import cli, engines
from benchmarks.lessons import Blackboard, speed, teach
from benchmarks.lessons.ladder import (
    RUNGS,
    accuracy,
    backward,
    blocks,
    did_not_pay,
    loops,
    threads,
    timings,
    winograd,
    work,
)
from benchmarks.lessons.ladder.timings import BETWEEN, CLIMBED, TRIED
from benchmarks.lessons.ladder.work import Roof, Work
from benchmarks.speed.timing import Times
from parity_tests.harness.conv_in_loops import convolve_in_loops_backward
from scratch.kernels.threads import get_num_threads

EXACT = {name: way.convolve for name, way in {**CLIMBED, **BETWEEN, **TRIED}.items() if name != "float16"}
SHAPES = [(3, 5, 7, 9, 4), (2, 3, 4, 6, 5), (7, 2, 5, 3, 3), (2, 1, 9, 2, 7)]  # N, C, H, W, O
PASSING = [name for name in EXACT if name != "Winograd, F(4x4, 3x3)"]
PIXEL = (1, 1, 1, 1, 1)


def draw(shape, dtype="float64", seed=0):
    *image, kernels = shape
    rng = np.random.default_rng([seed, *shape])
    x, weight = rng.standard_normal(image), rng.standard_normal((kernels, image[1], 3, 3))
    return x.astype(dtype), weight.astype(dtype)


@pytest.fixture
def few_images_at_once(monkeypatch):
    monkeypatch.setattr(blocks, "CACHE_BYTES", 4096)


@pytest.fixture
def short(monkeypatch):
    for where, constants in {
        speed: {"SECOND": Work("some", 3, 5, 4, 6), "FIRST": Work("few", 3, 1, 4, 5), "COMPARED": 2, "DRAWS": 2},
        timings: {"ROUNDS": 1, "BATCHES": (1, 2), "SIZES": (1, 2, 64)},
        work: {"LARGE": 1 << 12},
        speed.machine: {"rates": lambda dtype, threads: {"operations": 3e10, "bytes": 5e9}},
    }.items():
        for name, value in constants.items():
            monkeypatch.setattr(where, name, value)


# One result.


@pytest.mark.usefixtures("few_images_at_once")
@pytest.mark.parametrize("shape", [*SHAPES, PIXEL])
@pytest.mark.parametrize("name", EXACT)
def test_float64_is_torchs_to_1e_12(name, shape):
    report = accuracy.compare(EXACT[name], *draw(shape))
    report.raise_if_different()
    assert report["output"].got.dtype == np.float64
    assert report["output"].max_abs <= 1e-12 * max(1, np.abs(report["output"].truth).max())


@pytest.mark.usefixtures("few_images_at_once")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", PASSING)
def test_float32_is_within_the_budget_of_rounding(name, shape):
    for seed in range(2):
        report = accuracy.compare(EXACT[name], *draw(shape, "float32", seed))
        report.raise_if_different()
        assert report["output"].got.dtype == np.float32


@pytest.mark.parametrize("name", [name for name in PASSING if name != "Winograd"])
def test_float32_is_within_the_budget_for_a_single_pixel(name):
    accuracy.compare(EXACT[name], *draw(PIXEL, "float32")).raise_if_different()


def test_winograd_rounds_a_single_pixel_of_one_channel_beyond_the_budget():
    shares = [accuracy.error(RUNGS["Winograd"], *draw(PIXEL, "float32", seed)).share for seed in range(12)]
    assert max(shares) > 1
    shares = [accuracy.error(RUNGS["Winograd"], *draw((1, 32, 1, 1, 3), "float32", seed)).share for seed in range(12)]
    assert max(shares) < 1


@pytest.mark.parametrize("name", [name for name in RUNGS if name != "loops"])
def test_float32_is_within_the_budget_for_many_channels(name):
    accuracy.compare(RUNGS[name], *draw((21, 33, 13, 15, 47), "float32")).raise_if_different()


@pytest.mark.parametrize("name", EXACT)
def test_what_it_is_given_may_lie_in_any_order_and_is_not_written_to(name):
    x, weight = draw((3, 4, 5, 7, 2))
    expected = EXACT[name](x, weight)
    others = np.asfortranarray(x), weight.transpose(3, 2, 1, 0).copy().transpose(3, 2, 1, 0)
    for array in (x, weight, *others):
        array.flags.writeable = False
    assert np.allclose(EXACT[name](*others), expected, rtol=0, atol=1e-12)
    EXACT[name](x, weight)


def test_float16_and_larger_squares_do_not_pass():
    x, weight = draw((4, 16, 9, 9, 8), "float32")
    assert not accuracy.compare(did_not_pay.in_float16, x, weight).ok
    shares = [
        accuracy.error(did_not_pay.by_larger_squares, *draw((4, 1, 9, 9, 3), "float32", s)).share for s in range(9)
    ]
    assert max(shares) > 1


# Backward.


@pytest.mark.parametrize("shape", SHAPES)
def test_the_products_of_the_backward_pass_are_the_loops_and_torchs(shape):
    x, weight = draw(shape)
    grad_y = np.random.default_rng(9).standard_normal((len(x), len(weight), *x.shape[2:]))
    tx, tw = torch.from_numpy(x).requires_grad_(), torch.from_numpy(weight).requires_grad_()
    torch.nn.functional.conv2d(tx, tw, padding=1).backward(torch.from_numpy(grad_y))
    ones = (1, 1)
    witness_x, witness_weight, _ = convolve_in_loops_backward(x, weight, grad_y, ones, ones, ones, 1)
    for grad_x, grad_weight in (
        loops.convolve_backward(x, weight, grad_y),
        (backward.grad_x_by_col2im(weight, grad_y), backward.grad_weight(x, grad_y)),
        *((backward.grad_x_by_convolution(weight, grad_y, rung), witness_weight) for rung in RUNGS.values()),
    ):
        for got, *expected in ((grad_x, tx.grad.numpy(), witness_x), (grad_weight, tw.grad.numpy(), witness_weight)):
            for one in expected:
                assert got.shape == one.shape
                assert np.abs(got - one).max() <= 1e-12 * max(1, np.abs(one).max())


def test_the_gradient_through_col2im_is_the_adjoint():
    x, weight = draw((3, 5, 7, 9, 4))
    grad_y = np.random.default_rng(2).standard_normal((3, 4, 7, 9))
    forth = (grad_y * RUNGS["one product"](x, weight)).sum()
    assert (backward.grad_x_by_col2im(weight, grad_y) * x).sum() == pytest.approx(forth, rel=1e-12)
    assert (backward.grad_weight(x, grad_y) * weight).sum() == pytest.approx(forth, rel=1e-12)


# Blocks and threads.


def test_blocks_are_all_images_once_and_fit_the_cache(monkeypatch):
    x = np.zeros((23, 2, 5, 7))
    monkeypatch.setattr(blocks, "CACHE_BYTES", 4 * 1000 + 999)
    found = [range(*block.indices(len(x))) for block in blocks.blocks_of(x, 1000)]
    assert [place for block in found for place in block] == [*range(23)]
    assert [len(block) for block in found] == [4, 4, 4, 4, 4, 3]
    assert len([*blocks.blocks_of(x, 10**9)]) == 23  # an image that does not fit is a block of its own


def test_the_blas_has_one_thread_in_a_block_and_its_own_number_afterwards():
    def blas_threads():
        return {pool["num_threads"] for pool in threads.BLAS.info()}

    before, inside = blas_threads(), []
    threads.each(lambda block: inside.append(blas_threads()), [slice(0, 1)] * 5)
    assert inside == [{1}] * 5
    assert blas_threads() == before


def test_what_a_block_raises_is_raised():
    def fail(block):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        threads.each(fail, [slice(0, 1)])


def test_the_size_of_a_block_is_put_back():
    before = blocks.CACHE_BYTES
    timings.block_sizes(Work("few", 2, 1, 1, 3), seed=0)
    assert before == blocks.CACHE_BYTES


# What the lesson counts.


def test_the_counts_of_the_page_are_those_of_the_work():
    text = " ".join(speed.__doc__.split())
    second = speed.SECOND
    x, weight = second.draw(0)
    assert second.operations // 2 == 128 * 14 * 14 * 9 * 32 * 64 == 462422016
    assert "462 million" in text
    assert second.least_bytes == x.nbytes + weight.nbytes + RUNGS["one product"](x[:1], weight).nbytes * 128
    assert f"{second.least_bytes / 1e6:.1f} megabytes" in text
    per_byte, of_first = (one.operations / one.least_bytes for one in (second, speed.FIRST))
    assert f"used in {per_byte:.0f} operations" in text
    assert f"used in {of_first:.1f} operations instead of {per_byte:.0f}" in text
    assert f"a sum over all {second.batch * second.side**2:,} places" in text
    assert f"memory and back is {2 * 128 * second.patches_bytes / 1e6:.0f} megabytes" in text
    assert f"{128 * blocks.im2col(x[:1]).nbytes / 1e6:.1f} megabytes" in text
    assert second.patches_bytes == blocks.im2col(x[:1]).nbytes
    assert next(blocks.blocks_of(x, second.patches_bytes)) == slice(0, 9)
    assert "Nine images' patches fit" in text
    assert f"{len([*blocks.blocks_of(x, second.patches_bytes)])} products" in text
    images, kernels = CLIMBED["loops"].piece(x, weight)
    assert f"{len(x) * len(weight) // (len(images) * len(kernels)):,}" in text


def test_multiplications_for_an_image_and_a_pair_of_channels():
    side = 14
    for count, words in (
        (16 * (side // 2) ** 2, "Winograd: 784"),
        (9 * side**2, "the others: 1,764"),
        (4 * (side + 2) * ((side + 2) // 2 + 1), "576 real ones"),  # a product of complex numbers takes four
    ):
        assert f"{count:,}" in words
        assert words in " ".join(speed.__doc__.split())


def test_the_roof_is_whichever_rate_binds():
    some = Work("some", 2, 3, 4, 5)
    assert Roof(1e9, 1e15).seconds(some) == some.operations / 1e9
    assert Roof(1e15, 1e6).seconds(some) == some.least_bytes / 1e6
    assert some.bytes_of_one_product == some.least_bytes + 2 * 4 * (2 * 3 * 7 * 7 + 2 * 25 * 27)


def test_the_parts_of_a_block_are_those_of_the_last_rungs_block_on_one_thread(monkeypatch):
    some = Work("some", 5, 3, 4, 6)
    x, weight = some.draw(0)
    inside, found = [], {}

    def call(functions, rounds, number):
        inside.append(({pool["num_threads"] for pool in threads.BLAS.info()}, number))
        return {name: found.setdefault(name, function()) for name, function in functions.items()}

    monkeypatch.setattr(timings, "interleave", call)
    monkeypatch.setattr(blocks, "CACHE_BYTES", 2 * winograd.image_bytes(x, weight, winograd.F2))
    images, _ = timings.parts(some, seed=0)
    assert images == 2
    assert inside == [({1}, 1)]
    expected = RUNGS["one product"](x[:2], weight).transpose(0, 2, 3, 1)
    assert np.allclose(found["threads: product"].reshape(expected.shape), expected, atol=1e-5)
    assert np.allclose(found["Winograd: additions after"], expected, atol=1e-5)
    assert found["scratch's Winograd, all of it"] is True  # all of its numbers are finite


def test_what_does_a_piece_is_counted_up(monkeypatch):
    monkeypatch.setattr(timings, "in_turns", lambda functions: dict.fromkeys(functions, Times(np.array([1.0, 3.0]))))
    found = timings.forward([], Work("some", 6, 2, 5, 3), 0, {name: CLIMBED[name] for name in ("loops", "blocks")})
    assert found["loops"].seconds.tolist() == [30, 90]
    assert found["blocks"].seconds.tolist() == [1, 3]


# The kernels that the lesson reads.

NAMED = re.findall(
    r"`((?:conv|patch_plan|patches|padded_images|winograd|winograd_tiles|threads|memory)\.[\w.]+)`", speed.__doc__
)


@pytest.mark.parametrize("name", sorted(set(NAMED)))
def test_a_function_that_the_lesson_points_at_is_there(name):
    module, *parts = name.split(".")
    found = importlib.import_module(f"scratch.kernels.{module}")
    for part in parts:
        found = getattr(found, part)


def test_the_lesson_points_into_each_of_the_kernels_files():
    named = {name.split(".")[0] for name in NAMED}
    of_winograd = {"winograd", "winograd_tiles"}
    assert named == {"conv", "patch_plan", "patches", "padded_images", "threads", "memory"} | of_winograd
    assert all((Path(__file__).parents[3] / "scratch/kernels" / f"{name}.py").is_file() for name in named)


def test_the_kernels_are_what_the_lesson_says(monkeypatch):
    from scratch.kernels import patch_plan, winograd

    assert patch_plan.FEWEST_CHANNELS <= 32  # the ladder's convolution is Winograd's
    called = []
    monkeypatch.setattr(winograd, "convolve", lambda *args: called.append(args) or False)
    layer = timings.layer_of(engines.get("scratch"), Work("w", 2, 32, 64, 14), speed.SECOND.draw(0)[1])
    layer(speed.SECOND.draw(0)[0][:2])
    assert called


# The lesson.


@pytest.mark.usefixtures("short")
def test_the_lesson_shows_both_engines_and_how_far_they_are_apart(tmp_path, capsys):
    teach("speed", Blackboard(engines.NAMES, 0, tmp_path, tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"speed_ladder.png", "speed_choices.png"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.iterdir())
    said = capsys.readouterr().out
    assert f"{get_num_threads()} thread" in said
    assert "for each contender" in said
    assert "openblas" in said or "accelerate" in said.lower()
    for words in (
        "Forward, some",
        "Forward, few",
        "Where the time of a block goes",
        "Backward, some",
        "What did not pay",
        "Against PyTorch",
        "torch's layer",
    ):
        assert words in said
    assert "How far the engines are apart" in said


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("engine_name", engines.EVERY)
def test_the_lesson_runs_in_one_engine_alone(engine_name, tmp_path, capsys):
    assert cli.main(["lesson", "speed", "--engine", engine_name, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"{engine_name}'s layer" in said
    assert "How far the engines are apart" not in said
