"""The course: what each lesson says is true in both engines, and its figures are whole or not there."""

import inspect
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks import cli, engines, lessons, tasks
from benchmarks.lessons import (
    NAMES,
    Blackboard,
    activations,
    convolution,
    get,
    graph,
    mlp,
    neuron,
    normalization,
    regularization,
    teach,
    text,
)
from benchmarks.lessons.support import (
    activation_training,
    batches,
    mask_ensemble,
    pencil_step,
    pooling_and_sharing,
    xor,
)
from benchmarks.lessons.support import batch_norm_sizes as batch_size
from benchmarks.lessons.support import cnn_stages as stages
from benchmarks.lessons.support.text import parse

SHORT = {
    neuron: {"STEPS": 40},
    mlp: {"EPOCHS": 2},
    xor: {"SEEDS": 1, "STEPS": 3},
    batches: {
        "SIZES": (1, 16),
        "DRAWS": 2,
        "WARM_UP": 1,
        "RATES": (0.1, 1.0),
        "STEPS": 2,
        "WIDTHS": (8, 16),
        "ROUNDS": 1,
    },
    activations: {"SEEDS": 1, "EPOCHS_KILL": 1, "EPOCHS_REVIVE": 2},
    activation_training: {"RATES": (0.3, 1.0), "SEEDS": 1, "EPOCHS": 1, "ROWS": 3},
    mask_ensemble: {"EPOCHS": 2, "MASKS": (1, 3)},
    regularization: {
        "SEEDS": 2,
        "SETTINGS": {"large": regularization.Setting(1500, 1), "small": regularization.Setting(64, 2)},
    },
    batch_size: {"SEEDS": 1, "STEPS": 5, "DRAWS": 50},
    convolution: {"TRAIN_ROWS": 128, "STEPS": 2, "LOOK": 30, "FIELD_IMAGES": 60, "FAR": (0, 4)},
}
FIGURES = {
    "neuron": {"neuron"},
    "mlp": {"mlp_xor", "mlp_steps", "mlp_moons"},
    "graph": {"graph"},
    "activations": {"activations_slopes", "activations_vanishing", "activations_dying", "activations_training"},
    "regularization": {
        "regularization_curves",
        "regularization_boundaries",
        "regularization_ensemble",
        "regularization_adamw",
    },
    "normalization": {"normalization_axes", "normalization_modes", "normalization_batch_size"},
    "convolution": {"convolution_maps", "convolution_translation", "convolution_receptive_field"},
}


@pytest.fixture(params=engines.NAMES)
def engine(request):
    return engines.get(request.param, "float64")


@pytest.fixture(scope="module")
def moons():
    return tasks.get("moons").load(Path())


@pytest.fixture
def short(monkeypatch):
    for lesson, constants in SHORT.items():
        for name, value in constants.items():
            monkeypatch.setattr(lesson, name, value)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", FIGURES)
def test_a_lesson_shows_both_engines_and_how_far_they_are_apart(name, tmp_path, capsys):
    teach(name, Blackboard(engines.NAMES, 0, tmp_path, tmp_path / "no-data"))
    assert {path.name for path in tmp_path.iterdir()} == {f"{figure}.png" for figure in FIGURES[name]}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.iterdir())
    said = capsys.readouterr().out
    assert f"backprop lesson {name}" in said
    assert "How far the engines are apart" in said


@pytest.mark.parametrize("engine_name", engines.EVERY)
def test_the_graph_is_drawn_in_one_engine_alone(engine_name, tmp_path, capsys):
    assert cli.main(["lesson", "graph", "--engine", engine_name, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert ("PowBackward0" in said) == (engine_name == "torch")
    assert "apart" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["graph.png"]


@pytest.mark.parametrize("engine_name", engines.EVERY)
def test_a_lesson_runs_in_one_engine_alone(engine_name, tmp_path, capsys):
    assert cli.main(["lesson", "neuron", "--engine", engine_name, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"as the {engine_name} engine made them" in said
    assert "apart" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["neuron.png"]


# What the lessons teach, as facts.


def test_the_neurons_first_updates_are_the_round_numbers_of_the_page(engine):
    trail = neuron.descend(engine, neuron.LR)
    assert np.allclose(trail.weight[:4], [0, 0.7, 1.15, 1.44], rtol=0, atol=1e-12)
    assert np.allclose(trail.bias[:4], [0, 0.4, 0.65, 0.805], rtol=0, atol=1e-12)
    assert np.allclose(trail.grad_weight[:3], [-7, -4.5, -2.9], rtol=0, atol=1e-12)
    page = neuron.by_hand(trail, 0)
    assert "(1 + 1 + 9 + 25) / 4 = 9" in page
    assert "w <- 0 - 0.1 * -7 = 0.7" in page


def test_the_neuron_converges_below_the_largest_learning_rate_and_diverges_above(engine):
    ends = {lr: neuron.descend(engine, lr).loss[-1] for lr in neuron.RATES}
    assert min(ends, key=ends.get) == 0.4
    assert ends[0.54] < 9 < ends[0.57]


def test_one_layer_cannot_do_xor_and_two_by_hand_can(engine, monkeypatch):
    monkeypatch.setattr(xor, "SEEDS", 1)
    monkeypatch.setattr(xor, "UNITS", (2,))
    answers = xor.answer(engine, seed=0)
    assert answers.one_layer == pytest.approx(np.log(2), abs=1e-6)
    by_hand = xor.two_layers(engine, 2)
    engine.load_state(by_hand, xor.BY_HAND)
    assert np.array_equal(engine.predict(by_hand, xor.CORNERS).argmax(axis=1), xor.LABELS_OF_CORNERS)


def test_the_training_step_is_the_one_of_the_pencil(engine):
    step, values = pencil_step.take(engine), pencil_step.by_pencil()
    expected = {
        "0.weight": values.grad_a.T @ pencil_step.X,
        "0.bias": values.grad_a.sum(axis=0),
        "2.weight": values.grad_z.T @ values.h,
        "2.bias": values.grad_z.sum(axis=0),
    }
    for name, grad in expected.items():
        assert np.allclose(step.grads[name], grad, rtol=0, atol=1e-12)
        assert np.allclose(step.after[name], pencil_step.WEIGHTS[name] - pencil_step.LR * grad, rtol=0, atol=1e-12)
    assert step.loss == pytest.approx(values.losses.mean(), abs=1e-12)
    page = pencil_step.page(step)
    assert "F3   z = h W_2' + b_2 = [(0, 0), (1, 0)]" in page
    assert "(0.6931 + 0.3133) / 2 = 0.5032" in page


def test_a_weight_changed_before_backward_has_passed_gives_a_wrong_gradient_or_a_refusal(engine):
    wrong = pencil_step.too_early(engine)
    if engine.name == "torch":
        assert "modified by an inplace operation" in wrong
    else:
        assert not np.allclose(wrong, pencil_step.take(engine).grads["0.weight"], rtol=0, atol=1e-3)


def test_the_mean_may_be_taken_in_the_learning_rate_and_adam_does_not_care(engine):
    mean, by_lr, left_out, adam_mean, adam_sum = pencil_step.conventions(engine).values()
    assert np.allclose(mean, by_lr, rtol=0, atol=1e-12)
    assert not np.allclose(mean, left_out, rtol=0, atol=1e-3)
    assert np.allclose(adam_mean, adam_sum, rtol=0, atol=1e-6)


def test_the_softmax_of_the_page_is_three_quarters(engine):
    losses, grads = mlp.pencil(engine)
    assert losses == pytest.approx([np.log(4 / 3), np.log(4)], abs=1e-12)
    assert np.allclose(grads, [[-0.25, 0.25], [0.75, -0.75]], rtol=0, atol=1e-12)


def test_a_steps_time_is_labelled_in_plain_numbers():
    noises = dict.fromkeys(engines.NAMES, batches.Noise(np.ones(len(batches.SIZES)), 1.0))
    losses = dict.fromkeys(engines.NAMES, np.ones((len(batches.SCALES), len(batches.RATES))))
    figure = batches.draw(noises, losses, {"scratch": np.array([0.006, 0.008, 0.063])})
    figure.canvas.draw()
    axis = figure.axes[-1].yaxis
    lowest, highest = axis.get_view_interval()
    shown = {one.get_text() for one in axis.get_ticklabels(which="both") if lowest <= one.get_position()[1] <= highest}
    assert shown == {"", "10", "20", "50"}


def test_a_batchs_noise_falls_as_one_over_its_roots_size(engine, moons, monkeypatch):
    monkeypatch.setattr(batches, "SIZES", (4, 64))
    noise = batches.noise(engine, moons, seed=0)
    assert noise.spread[0] / noise.spread[1] == pytest.approx(4, rel=0.3)


def test_a_large_feature_wants_a_small_learning_rate(moons):
    raw, large, standard = (batches.scaled(moons, how) for how in batches.SCALES)
    assert np.array_equal(large[:, 1], 30 * raw[:, 1])
    assert np.allclose(standard.std(axis=0), 1)


def test_the_summed_cross_entropy_is_the_likelihood_of_the_episode(engine):
    assert np.ptp(mlp.likelihood(engine, seed=3)) < 1e-12


def test_the_validation_set_is_neither_learned_from_nor_the_test_set(engine, moons, monkeypatch):
    monkeypatch.setattr(mlp, "EPOCHS", 1)
    losses = mlp.learn(engine, moons, seed=0).losses
    assert len({losses[name][0] for name in mlp.SETS}) == len(mlp.SETS)


@pytest.mark.parametrize("engine_name", engines.NAMES)
def test_the_graph_is_the_one_of_the_page(engine_name):
    entries = graph.GRAPHS[engine_name]()
    assert {name: entry.value for name, entry in entries.items()} == {
        **{"x": 2, "w": 3, "b": -4, "p": 6, "a": 2, "h": 4, "y": 6, "e": 2, "L": 4},
    }
    assert {name: entry.grad for name, entry in entries.items()} == {
        **{"x": 60, "w": 40, "b": 20, "p": 20, "a": 20, "h": 4, "y": 4, "e": 4, "L": 1},
    }
    assert {name: entry.sent for name, entry in entries.items() if entry.sent} == {
        **{"p": {"w": 40, "x": 60}, "a": {"p": 20, "b": 20}, "h": {"a": 16}, "y": {"h": 4, "a": 4}},
        **{"e": {"y": 4}, "L": {"e": 4}},
    }


def test_the_order_in_which_nodes_are_reached_is_wrong():
    tape, values = graph.on_the_tape()
    root = values["L"].node
    right, wrong = (graph.backward_in(order, root) for order in (tape.nodes[::-1], graph.first_reached(root)))
    grads = tape.gradients(values["L"], 1.0)
    assert all(right[value.node] == grads[value] for value in values.values())
    assert [wrong[values[name].node] for name in "awbx"] == [20, 8, 4, 12]
    assert set(graph.first_reached(root)) == set(tape.nodes)


def test_paths_double_with_every_skip_connection_and_edges_do_not():
    assert [graph.walks(graph.residual_chain(blocks)) for blocks in (1, 2, 3)] == [(3, 3), (6, 9), (9, 21)]


def test_gradients_accumulate_until_zero_grad(engine):
    once, twice, again, halves = graph.accumulated(engine, seed=0).values()
    assert np.array_equal(twice, 2 * once)
    assert np.array_equal(again, once)
    assert np.allclose(halves, once, rtol=0, atol=1e-12)


def test_an_activation_a_layer_is_kept_until_its_backward_and_none_under_no_grad(engine):
    kept, without, refusal = graph.kept(engine, seed=0)
    activation = graph.BATCH * graph.UNITS * 8
    rising = [activation * (1 + done // 2) for done in range(1, 2 * graph.LAYERS + 1)]
    assert kept[: len(rising)] == rising
    assert kept[len(rising) :] == [*reversed(rising[:-1]), 0]
    assert without == [0] * len(rising)
    assert "second time" in refusal


def test_slopes_are_what_the_table_says(engine):
    slopes = {name: activations.curve(engine, name)[1] for name in activations.NAMES}
    assert slopes["Sigmoid"].max() == slopes["Sigmoid"][activations.X == 0] == 0.25
    assert (slopes["ReLU"][activations.X <= 0] == 0).all()
    assert (slopes["LeakyReLU"][activations.X <= 0] == 0.01).all()
    assert activations.flat(slopes["ReLU"]) == ("x <= 0.00", "nowhere")


def test_a_silent_relu_gets_no_gradient_and_the_others_do(engine, moons, monkeypatch):
    monkeypatch.setattr(activations, "EPOCHS_REVIVE", 1)
    revived = {name: activations.reviving(engine, moons, name, seed=0) for name in activations.REVIVING}
    assert all(one.silent == 1 for one in revived.values())
    assert revived["ReLU"].largest_gradient == 0
    assert all(one.largest_gradient > 0 for name, one in revived.items() if name != "ReLU")


def test_behind_positive_outputs_a_units_gradients_have_one_sign(engine, moons, monkeypatch):
    monkeypatch.setattr(activation_training, "ROWS", 5)
    engine.manual_seed(0)
    shares = {
        name: activation_training.one_signed(engine, activation_training.small_mlp(engine, name), moons)
        for name in activation_training.COMPARED
    }
    assert shares["Sigmoid"] == shares["ReLU"] == 1
    assert shares["Tanh"] < 0.1


def test_gradients_vanish_through_sigmoids_and_not_through_scaled_relus(engine, moons):
    sigmoid, relu = (activations.deep_gradients(engine, moons, name, True, seed=0) for name in ("Sigmoid", "ReLU"))
    assert sigmoid[0] < 1e-10 * sigmoid[-1]
    assert relu[0] > 0.1 * relu[-1]


def test_the_scaled_network_is_the_geometric_mean_over_all_masks_of_the_last_layers_input(engine):
    assert mask_ensemble.every_mask(engine, seed=0) < 1e-12


def test_weight_decay_is_the_gradient_of_half_the_square(engine):
    assert regularization.one_step(engine, 0.5) == pytest.approx(0.95)


def test_adamw_shrinks_every_weight_alike_and_l2_in_adam_does_not(engine):
    adam, adamw = (regularization.pull(engine, name)[-1] for name in ("Adam", "AdamW"))
    assert np.ptp(adamw) < 1e-3
    assert adam[0] < 0.01
    assert adam[-1] > 0.9


def test_each_variant_trains_its_own_network(engine, moons):
    setting = regularization.Setting(64, 3)
    one, other = (
        regularization.train(engine, moons, regularization.VARIANTS[name], setting, seed=0)
        for name in ("plain", "batch norm")
    )
    assert one[0] is not other[0]
    assert one[1].test_loss != other[1].test_loss


@pytest.mark.parametrize(("name", "axes"), [("BatchNorm2d", (0, 2, 3)), ("LayerNorm", (1, 2, 3))])
def test_a_normalization_tells_what_it_averages_over(engine, name, axes):
    gradient = normalization.shared(engine, normalization.CUBES[name][1], seed=0)
    expected = np.zeros(normalization.SHAPE, bool)
    expected[tuple(slice(None) if axis in axes else normalization.MARKED[axis] for axis in range(4))] = True
    assert np.array_equal(gradient > 0, expected)


def test_batch_norms_gradient_sums_to_zero_over_the_batch_in_training_only(engine):
    modes = normalization.modes(engine, seed=0)
    assert abs(modes.grad_training.sum()) < 1e-12
    assert (modes.grad_evaluation[1:] == 0).all()
    assert modes.grad_evaluation[0] > 0


@pytest.mark.parametrize("size", [4, 16, 64])
def test_batch_norm_takes_two_components_out_of_the_gradient(engine, size):
    assert batch_size.noise(engine, size, seed=0)[2] == pytest.approx(np.sqrt((size - 2) / size), abs=0.03)


def test_two_rows_get_no_gradient_through_batch_norm(engine):
    assert batch_size.noise(engine, 2, seed=0)[2] < 1e-3


@pytest.fixture(scope="module")
def digits():
    return tasks.get("digits").load(Path())


@pytest.mark.parametrize("stage", convolution.LOOKED_AT)
def test_the_measured_receptive_field_is_the_computed_one(engine, digits, stage):
    engine.manual_seed(0)
    model = engine.models.SmallCNN(dtype=engine.dtype).eval()
    field = stages.receptive_field(engine, model, digits.x_train[:200], stage)
    middle = {"conv1": 14, "pool1": 7, "conv2": 7, "pool2": 3}[stage]
    assert field.rows == field.columns == stages.computed_field(stage, middle)


def test_maps_move_with_the_input_by_multiples_of_the_stride(engine, digits):
    engine.manual_seed(0)
    model = engine.models.SmallCNN(dtype=engine.dtype).eval()
    _, residue = convolution.translate(engine, model, digits.x_test[:20])
    left = dict(zip(stages.STAGES, residue.T, strict=True))
    for stage, jump in stages.strides().items():
        for shift, rest in zip(convolution.SHIFTS, left[stage], strict=True):
            assert rest < 1e-12 if shift % jump == 0 else rest > 0.01


def test_max_pooling_pays_the_winner_and_average_pooling_everyone(engine, digits):
    engine.manual_seed(0)
    model = engine.models.SmallCNN(dtype=engine.dtype).eval()
    largest, mean = (
        pooling_and_sharing.pool(engine, name, model, digits.x_test[:5], (1,)) for name in pooling_and_sharing.POOLINGS
    )
    assert (largest.value, mean.value) == (3, 2)
    assert largest.grad.tolist() == [[0, 1], [0, 0]]
    assert mean.grad.tolist() == [[0.25, 0.25], [0.25, 0.25]]


def test_sharing_saves_the_parameters_of_the_page(engine):
    (name, shared, local, dense), _ = pooling_and_sharing.parameters(engine)
    assert (name, shared, local, dense) == ("conv1", 320, 320 * 784, 785 * 32 * 784)


# The texts.


@pytest.mark.parametrize("name", NAMES)
def test_a_lessons_text_has_all_its_parts_and_points_to_the_next(name):
    parts = text(name)
    assert all(parts._replace(about="-"))
    place = NAMES.index(name) + 1
    following = f"`backprop lesson {NAMES[place]}`" if place < len(NAMES) else "Markov chains and decision processes"
    assert parts.next.startswith(following)
    assert parts.run.startswith(f"backprop lesson {name}")
    assert get(name).__doc__.strip().endswith(parts.run)


def test_a_text_without_takeaways_is_refused():
    with pytest.raises(ValueError, match="expected it to end with"):
        parse("Title: words.\n\nBody.\n\nRead: x\nRun:  y")


# Refusals.


def test_an_unknown_lesson_is_a_usage_error_of_one_line(capsys):
    assert cli.main(["lesson", "astrology"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "backprop lesson: unknown lesson 'astrology'; choose from neuron, mlp, graph, activations, regularization, "
        "normalization, convolution, speed, sequence, policy, atari, world-model, all\n"
    )


def test_a_seed_without_room_to_count_on_from_is_a_usage_error(capsys):
    assert cli.main(["lesson", "neuron", "--seed", str(2**64 - 1)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_that_cannot_be_made_is_a_failure_of_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    out = str(tmp_path / "file" / "figures")
    assert cli.main(["lesson", "neuron", "--engine", "scratch", "--out", out]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "choose another --out" in said


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere")], ids=["a file", "a link"])
def test_what_is_no_folder_is_refused_before_the_lesson_begins(make, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lessons, "teach", lambda *args: pytest.fail("it began"))
    make(tmp_path / "out")
    assert cli.main(["lesson", "neuron", "--engine", "scratch", "--out", str(tmp_path / "out")]) == 1
    assert "out: Not a directory" in capsys.readouterr().err


def test_a_signal_takes_the_empty_folder_away(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lessons, "teach", lambda *args: os.kill(os.getpid(), signal.SIGTERM))
    assert cli.main(["lesson", "neuron", "--engine", "scratch", "--out", str(tmp_path / "deep" / "out")]) == 143
    assert capsys.readouterr().err == "backprop lesson: interrupted\n"
    assert list(tmp_path.iterdir()) == []


def figures_in_the_code_of(name):
    return re.findall(r'board\.figure\(\s*"(\w+)"', inspect.getsource(lessons.get(name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_that_is_there_is_refused_before_the_lesson_begins(name, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lessons, "teach", lambda *args: pytest.fail("it began"))
    for figure in figures_in_the_code_of(name):
        path = tmp_path / f"{figure}.png"
        path.write_bytes(b"of before")
        assert cli.main(["lesson", name, "--engine", "scratch", "--out", str(tmp_path)]) == 1
        assert f"{figure}.png exists already" in capsys.readouterr().err
        assert path.read_bytes() == b"of before"
        assert list(tmp_path.iterdir()) == [path]
        path.unlink()


def test_a_figure_that_comes_during_the_lesson_is_not_replaced(tmp_path, capsys, monkeypatch):
    path = tmp_path / "neuron.png"
    monkeypatch.setattr(lessons, "teach", lambda name, board: (path.write_bytes(b"of before"), teach(name, board)))
    assert cli.main(["lesson", "neuron", "--engine", "scratch", "--out", str(tmp_path)]) == 1
    assert "neuron.png exists already" in capsys.readouterr().err
    assert path.read_bytes() == b"of before"


@pytest.mark.parametrize("name", NAMES)
def test_a_lessons_figures_are_called_as_it_begins(name):
    figures = figures_in_the_code_of(name)
    assert figures
    assert FIGURES.get(name, set(figures)) == set(figures)
    stem = name.replace("-", "_")
    assert all(figure == stem or figure.startswith(f"{stem}_") for figure in figures)


def test_an_interrupted_lesson_leaves_no_half_of_a_figure(tmp_path, capsys, monkeypatch):
    write = Figure.savefig

    def interrupted(figure, *args, **kwargs):
        write(figure, *args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", interrupted)
    assert cli.main(["lesson", "neuron", "--engine", "scratch", "--out", str(tmp_path)]) == 130
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == "backprop lesson: interrupted\n"


@pytest.mark.parametrize("name", NAMES)
def test_the_files_that_a_lesson_sends_its_reader_to_are_there(name):
    root = Path(__file__).parents[3]
    named = re.findall(r"(?:scratch|benchmarks)/[a-z_/]+\.py", get(name).__doc__)
    assert named
    assert [path for path in named if not (root / path).is_file()] == []
