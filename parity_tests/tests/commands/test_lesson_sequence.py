"""The lesson on sequences: its figures, and what it teaches as facts."""

import numpy as np
import pytest

from benchmarks import engines
from benchmarks.lessons import Blackboard, sequence, teach


@pytest.fixture(params=engines.NAMES)
def engine(request):
    return engines.get(request.param, "float64")


def test_the_lesson_shows_both_engines_and_how_far_they_are_apart(tmp_path, capsys, monkeypatch):
    for name, value in {"STEPS": 30, "CLIP_STEPS": 5, "LENGTH": 8, "SHORT": 6}.items():
        monkeypatch.setattr(sequence, name, value)
    teach("sequence", Blackboard(engines.NAMES, 0, tmp_path, tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"sequence_jacobians.png", "sequence_training.png"}
    said = capsys.readouterr().out
    assert "backprop lesson sequence" in said
    assert "How far the engines are apart" in said


def test_both_engines_measure_the_same_jacobians():
    for cell in sequence.CELLS:
        one, other = (sequence.jacobians(engines.get(name, "float64"), cell, 3) for name in engines.NAMES)
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_the_product_shrinks_by_default_and_grows_with_a_large_matrix():
    engine = engines.get("scratch", "float64")
    default, large, gated = (
        sequence.jacobians(engine, "RNN", 0),
        sequence.jacobians(engine, "RNN", 0, 1.5),
        sequence.jacobians(engine, "LSTM", 0, None, sequence.FORGET_BIAS),
    )
    assert default[-1] < 1e-6
    assert large[-1] > 10
    assert 0.1 < gated[-1] < 100


def test_the_first_jacobian_of_an_orthogonal_matrix_has_no_larger_norm_than_its_scale(engine):
    assert sequence.jacobians(engine, "RNN", 1, 0.8)[0] <= 0.8 + 1e-12


def test_to_answer_one_always_has_the_error_that_the_lesson_names():
    rng = np.random.default_rng(0)
    answers = np.concatenate([sequence.adding(10, rng)[1] for _ in range(2000)])
    assert np.mean((answers - 1) ** 2) == pytest.approx(sequence.ALWAYS_ONE, rel=0.02)


def test_clipping_bounds_the_norm_and_keeps_the_direction(engine):
    model = sequence.model_of(engine, "RNN")
    x, y = sequence.adding(6, np.random.default_rng(0))
    engine.loss_backward(model, engine.nn.MSELoss(), x, 50 * y)
    before = np.concatenate([grad.reshape(-1) for grad in engine.grads(model).values()])
    engine.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    after = np.concatenate([grad.reshape(-1) for grad in engine.grads(model).values()])
    assert np.linalg.norm(after) == pytest.approx(1.0, rel=1e-5)
    np.testing.assert_allclose(after * np.linalg.norm(before), before, rtol=1e-5)
