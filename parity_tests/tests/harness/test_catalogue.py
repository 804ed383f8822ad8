"""Every catalogue entry against PyTorch and finite differences; and ``backprop parity``, a table of the former."""

import numpy as np
import pytest

from benchmarks import cli
from benchmarks.figures.parity import parity
from parity_tests.catalogue import CATALOGUE, KINDS, named, of_kind
from parity_tests.harness.compare import check
from parity_tests.harness.sweep import QUANTITIES, Row, Worst, sweep
from scratch import models, nn, optim

each_entry = pytest.mark.parametrize("entry", CATALOGUE, ids=[entry.name for entry in CATALOGUE])
smooth = pytest.mark.parametrize("entry", of_kind("layer", "loss", "distribution"), ids=lambda entry: entry.name)


def test_everything_public_is_in_the_catalogue():
    """Optimizers, schedulers and models; for layers and losses see test_adding_a_layer.py."""
    public = {name for name in optim.__all__ if isinstance(getattr(optim, name), type)} - {"Optimizer"}
    public |= set(optim.lr_scheduler.__all__) - {"LRScheduler"}
    public |= {"MLP", "SmallCNN", "NatureEncoder", "ActorCritic"}
    assert public <= {entry.name for entry in CATALOGUE}
    assert all(hasattr(optim, entry.name) for entry in of_kind("optimizer"))
    assert all(hasattr(optim.lr_scheduler, entry.name) for entry in of_kind("scheduler"))
    assert all(hasattr(models, entry.name) for entry in of_kind("model"))


@each_entry
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_is_torchs(entry, dtype):
    row = sweep(entry, dtype, 5)
    assert row.different == 0, row.failure
    assert 0 <= max(worst.share for worst in row.worst.values()) <= 1


@smooth
def test_is_its_finite_differences(entry):
    """No PyTorch. A case is undecided if a kink is nearer than the step of the differences, or if no row counts."""
    reports = []
    for seed in range(3):
        case = entry.case("float64", seed, batch=3)
        x, *others = case.inputs
        if entry.name == "BCELoss":
            x = np.clip(x, 0.1, 0.9)  # a step from 0 or 1 would lead out of the probabilities
        reports.append(check(case.layer, None, x, *others, seed=seed))
    assert not any(report.differs for report in reports), "\n".join(map(str, reports))
    assert any(report.ok for report in reports), "nothing was decided"


def test_a_case_is_the_same_each_time():
    one, other = (named("Conv2d").case("float32", 4) for _ in range(2))
    np.testing.assert_array_equal(one.inputs[0], other.inputs[0])
    assert repr(one.layer) == repr(other.layer)


def test_the_command_prints_and_draws(capsys, tmp_path):
    assert cli.main(["parity", "--cases", "1", "--figure", str(tmp_path / "parity.png")]) == 0
    shown = capsys.readouterr().out
    assert all(entry.name in shown for entry in CATALOGUE)
    assert "all agree." in shown
    assert (tmp_path / "parity.png").stat().st_size > 10_000


def test_the_figure_has_every_name_and_fits_a_page():
    rows = [
        Row(one.name, one.kind, dtype, worst={"output": Worst(share=2.0 if one.name == "GELU" else 0.1)})
        for kind in KINDS
        for one in of_kind(kind)
        for dtype in ("float64", "float32")
    ]
    figure = parity(rows)
    names = [label.get_text() for axes in figure.axes[:-1] for label in axes.get_yticklabels()]
    assert [name for name in names if name in {row.name for row in rows}] == [row.name for row in rows[::2]]
    width, height = figure.get_size_inches()
    assert height < 1.4 * width
    shown = np.ma.concatenate([axes.collections[0].get_array() for axes in figure.axes[:-1]])
    assert (shown > 0).sum() == 2
    assert (np.isclose(shown, -1)).sum() == len(rows) - 2


def test_a_wrong_layer_is_found_and_named(capsys, monkeypatch):
    right = nn.Linear.backward

    def forgetful(layer, grad_output):
        grad_x = right(layer, grad_output)
        layer.weight.grad *= 1 + 1e-9
        return grad_x

    monkeypatch.setattr(nn.Linear, "backward", forgetful)
    monkeypatch.setattr("parity_tests.catalogue.CATALOGUE", [named("Linear"), named("ReLU")])
    assert cli.main(["parity", "--cases", "8"]) == 1
    shown = capsys.readouterr().out
    assert "Linear, float64: " in shown
    assert "grad_weight: " in shown
    assert "named('Linear').case('float64', " in shown
    assert "ReLU, float64" not in shown


def test_what_raises_is_a_difference(monkeypatch):
    monkeypatch.setattr(nn.Tanh, "backward", lambda layer, grad_output: 1 / 0)
    row = sweep(named("Tanh"), "float64", 3)
    assert row.different == row.cases == 3
    assert "ZeroDivisionError" in row.failure
    assert row.worst[QUANTITIES[0]].share == np.inf
