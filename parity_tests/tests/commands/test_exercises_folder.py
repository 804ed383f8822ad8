"""The learner's folder and the command: nothing is lost, and whatever is wrong is one clear message."""

import json
import os
import shlex
import shutil
import signal
import threading

import pytest

from benchmarks import cli
from benchmarks.errors import Failure
from benchmarks.exercises import catalogue, cutting, desk, folder
from benchmarks.exercises.folder import PROGRESS, README, Folder
from benchmarks.exercises.grading import limits, process, reading
from benchmarks.exercises.grading.grade import grade
from benchmarks.exercises.grading.picture import heat_map
from benchmarks.exercises.milestones.chart import chart

RELU, LINEAR, SHAPES = map(catalogue.named, ("relu", "linear", "linear_shapes"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return folder.start(tmp_path_factory.mktemp("made") / "exercises")[0]


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    """Return a fresh copy of a new folder; its parent is the working directory."""
    shutil.copytree(made.path, tmp_path / "exercises")
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path / "exercises")


@pytest.fixture
def here(monkeypatch):
    """Grade in this process: a child takes seconds to start."""
    monkeypatch.setattr(process, "graded", grade)


def run(capsys, *words):
    status = cli.main(["exercises", *words])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err
    return status, captured.out, captured.err


def answer(place, text="answer = (5, 3)\n"):
    place.file(SHAPES).write_text(text)


# The way through.


def test_start_writes_a_file_for_each_exercise_and_says_where_to_begin(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, out, _ = run(capsys, "start")
    assert status == 0
    assert "exercises/01_relu.py" in out
    assert len(list(tmp_path.glob("exercises/*.py"))) == len(catalogue.all_exercises())
    text = (tmp_path / "exercises" / "README.md").read_text()
    assert all(catalogue.file_name(one) in text for one in catalogue.all_exercises())
    assert max(map(len, out.splitlines())) < 80


def test_start_again_adds_what_is_missing_and_leaves_the_rest(place, capsys):
    place.file(RELU).write_text("mine\n")
    place.file(LINEAR).unlink()
    place.remember(SHAPES, solved=True)
    status, out, _ = run(capsys, "start")
    assert status == 0
    assert "1 exercise added" in out
    assert place.file(RELU).read_text() == "mine\n"
    assert place.file(LINEAR).exists()
    assert place.solved() == {"linear_shapes"}


def test_start_replaces_a_readme_of_its_own_and_no_other(place, capsys, monkeypatch):
    path = place.path / README
    new = path.read_bytes()
    for mine in (b"", b"mine\n", new + b"mine\n", b"mine\n" + new, new.replace(b"exercises", b"tasks", 1)):
        path.write_bytes(mine)
        assert run(capsys, "start")[0] == 0
        assert path.read_bytes() == mine
    path.unlink()
    with monkeypatch.context() as context:
        context.setattr("benchmarks.exercises.sheets.readme", lambda: "of an earlier version\n")
        assert run(capsys, "start")[0] == 0
    assert path.read_bytes().startswith(b"of an earlier version\n")
    assert run(capsys, "start")[0] == 0
    assert path.read_bytes() == new


def test_what_is_solved_at_once_is_all_remembered(place, monkeypatch):
    monkeypatch.setattr(folder, "PATIENCE", 120)
    exercises = catalogue.all_exercises()[:8]
    threads = [threading.Thread(target=place.remember, args=(one,), kwargs={"solved": True}) for one in exercises]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert place.solved() == {one.name for one in exercises}
    assert not any(path.name.startswith(".") for path in place.path.iterdir())


@pytest.mark.parametrize("name", ["-mine", "my  own", "it's", "exercises"])
def test_what_is_advised_finds_the_folder(name, made, tmp_path, monkeypatch, capsys, here):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made.path, name)
    _, out, _ = run(capsys, "check", "linear_shapes", f"--dir={name}")
    advice = shlex.split(out.splitlines()[-1])
    assert advice[:3] == ["backprop", "exercises", "hint"]
    assert run(capsys, *advice[2:])[0] == 0
    _, _, said = run(capsys, "solution", "linear_shapes", f"--dir={name}")
    assert run(capsys, *shlex.split(said.partition("go on with: ")[2])[2:])[0] == 0


def test_a_signal_ends_a_check(place, capsys, monkeypatch):
    monkeypatch.setattr(desk, "check", lambda *args: os.kill(os.getpid(), signal.SIGTERM))
    status, _, said = run(capsys, "check", "linear")
    assert status == 143
    assert said == "backprop exercises: interrupted\n"


def test_check_says_what_is_missing_then_what_is_right_and_remembers_it(place, capsys, here):
    status, out, _ = run(capsys, "check", "linear_shapes")
    assert status == 1
    assert "Not answered yet" in out
    answer(place)
    status, out, _ = run(capsys, "check", "03_linear_shapes.py")
    assert run(capsys, "check", "3")[0] == 0
    assert status == 0
    assert "That makes 1 of" in out
    answer(place, "answer = 3\n")
    status, out, _ = run(capsys, "check", "linear_shapes")
    assert status == 1
    assert "stays solved" in out
    assert place.solved() == {"linear_shapes"}


def test_the_list_marks_what_is_solved_and_what_is_next(place, capsys):
    place.remember(RELU, solved=True)
    _, out, _ = run(capsys, "list")
    lines = out.splitlines()
    assert any(line.startswith("  x  1 relu ") for line in lines)
    assert any(line.startswith("  >  2 relu_by_hand ") for line in lines)
    assert "waits for linear, cross_entropy" in out
    assert max(map(len, lines)) < 80


def test_hints_come_one_by_one_and_start_at_what_is_not_right_yet(place, capsys, here):
    said = [run(capsys, "hint", "linear")[1] for _ in range(4)]
    assert "It undoes F2" in said[0]
    assert "becomes a sum" not in said[0]
    assert "A broadcast becomes a sum" in said[1]
    assert "the shape (O,)" in said[2]
    assert "B2  grad_bias = sum_n grad_y" in said[3]
    text = place.file(LINEAR).read_text()
    place.file(LINEAR).write_text(text.replace("grad_bias = ...", "grad_bias = grad_y.sum(axis=0)"))
    assert "It undoes F1" in run(capsys, "hint", "linear")[1]
    for _ in range(30):
        out = run(capsys, "hint", "linear")[1]
    assert "--give-up" in out


def test_a_solution_waits_until_it_is_solved_or_given_up(place, capsys):
    status, out, err = run(capsys, "solution", "linear")
    assert (status, out) == (1, "")
    assert "not solved yet" in err
    status, out, _ = run(capsys, "solution", "linear", "--give-up")
    assert status == 0
    assert "grad_y.T @ x" in out
    assert place.progress()["linear"]["gave_up"] is True
    assert "linear" not in place.solved()
    place.remember(LINEAR, solved=True)
    assert run(capsys, "solution", "linear")[0] == 0


def test_reset_keeps_the_learners_file(place, capsys):
    for number in (1, 2):
        place.file(LINEAR).write_text(f"mine {number}\n")
        assert run(capsys, "reset", "linear")[0] == 0
        assert (place.path / f"04_linear.kept{number}").read_text() == f"mine {number}\n"
        assert "grad_bias = ..." in place.file(LINEAR).read_text()


def test_reset_keeps_no_copy_of_a_file_that_nobody_has_touched(place, capsys):
    assert run(capsys, "reset", "linear")[0] == 0
    assert not list(place.path.glob("*.kept*"))


def test_all_hints_stand_once_more_when_there_are_no_others(place, capsys, here):
    for _ in range(3):
        out = run(capsys, "hint", "relu_by_hand")[1]
    assert "What is the slope of max(0, x) at x = 3?" in out
    assert "--give-up" in out


def test_watch_ends_at_ctrl_c_and_says_how_far_one_is(place, capsys, here):
    def interrupt():
        raise KeyboardInterrupt

    desk.watch(place, interrupt, pause=0)
    assert "0 of" in capsys.readouterr().out.splitlines()[-1]


def test_watch_checks_at_every_save_and_moves_on(place, capsys, here):
    for one in catalogue.all_exercises():
        if one.name not in ("linear_shapes", "linear"):
            place.remember(one, solved=True)
    looks = iter(range(4))

    def save():
        look = next(looks, None)
        if look == 1:
            answer(place, "answer = 0\n")
        elif look == 2:
            answer(place)
        return look is not None

    desk.watch(place, save, pause=0)
    out = capsys.readouterr().out
    assert out.index("is not what comes out") < out.index("is right") < out.rindex("linear: a matrix product")


# What may be wrong.


def graded_text(place, text):
    place.file(LINEAR).write_text(text)
    return grade(LINEAR, place.file(LINEAR))


def test_a_syntax_error_is_named_by_its_line(place):
    verdict = graded_text(place, "x = (\n")
    assert verdict.status == "broken"
    assert "04_linear.py, line 1" in verdict.text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return grad_x", "has to return 3 values"),
        ("return None", "has to return 3 values"),
        ("return grad_y @ weight, None, grad_y.sum(axis=0)", "grad_weight has to be an array, and is None"),
        ("return grad_y @ weight, x.T @ grad_y, grad_y.sum(axis=0)", "grad_weight has the shape"),
        ("return grad_y @ weight, x.T @ grad_y, grad_y.sum(axis=0)", "It is transposed."),
        ("return grad_y @ weight, grad_y.T @ x, grad_y", "A broadcast becomes a sum"),
        ("return grad_y @ weight, grad_y.T @ x, grad_y.sum(axis=1)", "Is the sum over the right axis?"),
        ("return grad_y @ weight, grad_y.T @ x, grad_y.sum(axis=0, keepdims=True)", "without it, the axis is gone"),
        ("gb = bias", "bias is a name of forward"),
        ("grad_bias = grad_y.mean(axis=0)\n    return grad_y @ weight, grad_y.T @ x, grad_bias", "the batch size"),
        ("pass", "returns None: is there a `return`?"),
        ("return nothing", "raises NameError"),
        ("raise SystemExit", "ends the program"),
        ("grad_y *= 1; grad_y[...] = 0\n    return 0 * x, 0 * weight, grad_y.sum(axis=0)", "wrong"),
        ("g = grad_y.copy(); grad_y *= 2\n    return g @ weight, g.T @ x, g.sum(axis=0)", "writes into its arguments"),
    ],
)
def test_what_is_wrong_is_said_in_the_learners_terms(place, body, words):
    text = cutting.solution_of(LINEAR)
    text = text[: text.index("    grad_bias")] + f"    grad_x = x\n    {body}\n"
    verdict = graded_text(place, text)
    assert verdict.status in ("wrong", "broken")
    assert words in " ".join(verdict.text.split())
    assert max(map(len, verdict.text.splitlines())) < 80


BACK = "    e, t = saved\n    {first}\n    grad_z = (grad_y / t + grad_t) * e\n    return grad_z\n"


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ("grad_t = (-grad_y * e / t**2).sum(axis=0, keepdims=True)", "grad_t has the shape"),
        ("grad_t = (grad_y * e / t**2).sum(axis=-1, keepdims=True)", "-> grad_t: the sign is flipped"),
        (
            "grad_t = (-grad_y * e / t**2).mean(axis=-1, keepdims=True)",
            "divided by 4, the length of an axis: averaged instead of summed?",
        ),
    ],
)
def test_a_gradient_on_the_way_is_named_and_explained(place, first, words):
    exercise = catalogue.named("softmax")
    text = cutting.solution_of(exercise)
    place.file(exercise).write_text(text[: text.index("    e, t = saved")] + BACK.format(first=first))
    verdict = grade(exercise, place.file(exercise))
    assert verdict.status == "wrong"
    assert words in " ".join(verdict.text.split())
    assert "grad_input" not in verdict.text
    assert "grad_output" not in verdict.text


def test_one_statement_among_blanks_is_explained_too(place):
    text = place.file(LINEAR).read_text().replace("grad_bias = ...", "grad_bias = grad_y.mean(axis=0)")
    place.file(LINEAR).write_text(text)
    verdict = grade(LINEAR, place.file(LINEAR))
    said = " ".join(verdict.text.split())
    assert "Still to be written: grad_weight and grad_x." in said
    assert "-> grad_bias: divided by 4, the length of an axis" in said


def test_the_names_are_those_of_the_file(place):
    text = cutting.solution_of(RELU).replace("np.where(y != 0, grad_y, 0)", "grad_y * y")
    place.file(RELU).write_text(text)
    assert "grad_x: this is grad_y times forward's output" in grade(RELU, place.file(RELU)).text


def test_cross_entropy_is_tried_plain_first_and_the_options_are_told(place):
    exercise = catalogue.named("cross_entropy")
    text = cutting.solution_of(exercise)
    whole = text[text.index("    grad_logp =") : text.index("    grad_z =")]
    plain = "    grad_logp = np.zeros_like(logp)\n    grad_logp[np.arange(len(logp)), label] = grad_picked\n"
    place.file(exercise).write_text(text.replace(whole, plain))
    said = " ".join(grade(exercise, place.file(exercise)).text.split())
    assert "Right in 1 other case; wrong in this one:" in said
    assert "label_smoothing=0.0" not in said
    assert "label_smoothing=" in said
    assert "grad_x: right" not in said
    assert "grad_z and grad_x: right" not in said
    wrong = "    grad_logp = -np.ones_like(logp)\n"
    place.file(exercise).write_text(text.replace(whole, wrong))
    said = grade(exercise, place.file(exercise)).text
    assert "label_smoothing=0.0" in said
    assert "input is positive" not in said


def test_a_prediction_of_the_wrong_kind_is_told_what_is_asked_for(place):
    exercise = catalogue.named("relu_by_hand")
    place.file(exercise).write_text("answer = (-30,)\n")
    assert "What is asked for is one number." in grade(exercise, place.file(exercise)).text
    answer(place, "answer = 3\n")
    assert "What is asked for is a tuple of numbers." in grade(SHAPES, place.file(SHAPES)).text
    answer(place, "answer = 5 3\n")
    assert "answer = 5 3" in grade(SHAPES, place.file(SHAPES)).text


def test_another_way_to_write_it_is_accepted(place):
    text = cutting.solution_of(LINEAR)
    text = text[: text.index("    grad_bias")] + (
        "    db = np.einsum('no->o', grad_y)\n    return grad_y.dot(weight), np.einsum('no,ni->oi', grad_y, x), db\n"
    )
    assert graded_text(place, text).status == "solved"


def test_a_function_that_is_gone_or_takes_other_arguments(place):
    assert "has no function linear_backward" in graded_text(place, "def linear(x, weight, bias):\n    pass\n").text
    verdict = graded_text(place, "def linear(x):\n    pass\n")
    assert "def linear(x, weight, bias):" in verdict.text


def test_a_loop_without_an_end_is_stopped_in_its_line(place, monkeypatch):
    monkeypatch.setattr(limits, "CALL", 0.3)
    monkeypatch.setattr("benchmarks.exercises.grading.watching.CALL", 0.3)
    monkeypatch.setattr("benchmarks.exercises.grading.grade.CALL", 0.3)
    text = cutting.solution_of(LINEAR).replace("    grad_bias", "    while True:\n        x = x\n    grad_bias")
    verdict = graded_text(place, text)
    assert verdict.status == "broken"
    assert "takes too long" in verdict.text
    assert "x = x" in verdict.text or "while True" in verdict.text
    assert "takes too long" in graded_text(place, "while True:\n    pass\n").text


def test_prints_are_shown_in_short_and_a_process_that_ends_is_no_harm(place):
    text = cutting.solution_of(RELU).replace("    (y,) = saved", "    (y,) = saved\n    print('here', y.shape)")
    place.file(RELU).write_text(text)
    verdict = process.graded(RELU, place.file(RELU))
    assert verdict.status == "solved", verdict.text
    assert verdict.text.count("here (") == process.LINES
    place.file(RELU).write_text("import os\nos._exit(3)\n")
    verdict = process.graded(RELU, place.file(RELU))
    assert verdict.status == "broken"
    assert "ended the process" in verdict.text


def test_a_child_that_never_ends_is_ended(monkeypatch, tmp_path):
    (tmp_path / "forever.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert process.run("forever", [], 0.5)[1] is None


def test_a_file_deleted_or_renamed(place, capsys):
    place.file(LINEAR).rename(place.path / "my_linear.py")
    status, _, err = run(capsys, "check", "linear")
    assert status == 1
    assert "my_linear.py looks like it" in err
    (place.path / "my_linear.py").unlink()
    _, _, err = run(capsys, "check", "linear")
    assert "reset linear" in err
    assert len(err.splitlines()) == 1


def test_a_number_of_an_older_version_is_found_all_the_same(place):
    place.file(LINEAR).rename(place.path / "09_linear.py")
    assert place.found(LINEAR).name == "09_linear.py"


def test_an_exercise_has_not_changed_where_others_were_added(place, monkeypatch):
    before = folder.fingerprint(LINEAR)
    monkeypatch.setattr(catalogue, "all_exercises", lambda: (LINEAR, RELU))
    assert folder.fingerprint(LINEAR) == before


def test_an_exercise_that_has_changed_is_said_to_have(place, capsys, here):
    place.remember(SHAPES, sheet="0" * 16)
    assert "has changed since" in run(capsys, "check", "linear_shapes")[1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"made_by": "somebody", "version": 1}', "belongs to something else"),
        ('{"made_by": "backprop exercises", "version": 0, "exercises": {}}', "another version"),
        ('{"made_by": "backprop exercises", "version": 1, "exercises": [3]}', "is damaged"),
    ],
)
def test_progress_that_is_not_ours_is_left_as_it_is(place, capsys, content, words):
    (place.path / PROGRESS).write_text(content)
    for action in (("list", "--dir", str(place.path)), ("start",), ("check", "linear", "--dir", str(place.path))):
        status, _, err = run(capsys, *action)
        assert status == 1
        assert words in err
        assert len(err.splitlines()) == 1
    assert (place.path / PROGRESS).read_text() == content


def test_lost_progress_is_begun_anew_and_no_file_is_touched(place, capsys):
    place.file(RELU).write_text("mine\n")
    (place.path / PROGRESS).unlink()
    assert run(capsys, "start")[0] == 0
    assert place.file(RELU).read_text() == "mine\n"
    assert place.solved() == set()


def test_foreign_folders_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, "list")
    assert status == 2
    assert "backprop exercises start" in err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert run(capsys, "start", "--out", "mine")[0] == 1
    assert os.listdir(tmp_path / "mine") == ["letter.txt"]
    assert run(capsys, "list", "--dir", "mine")[0] == 2
    (tmp_path / "file").write_text("")
    assert run(capsys, "start", "--out", "file")[0] == 1


def test_unknown_names(place, capsys):
    status, _, err = run(capsys, "check", "lineal")
    assert status == 2
    assert "unknown exercise 'lineal'; did you mean linear?" in err
    assert run(capsys, "check", "999")[0] == 2
    assert run(capsys, "milestone", "rnn")[0] == 2
    assert run(capsys)[0] == 2
    assert run(capsys, "dance")[0] == 2


def test_a_milestone_waits_for_what_it_needs(place, capsys):
    status, _, err = run(capsys, "milestone", "mlp")
    assert status == 1
    assert "waits for relu, linear, cross_entropy" in err


def test_progress_is_written_whole_or_not_at_all(place, monkeypatch):
    before = (place.path / PROGRESS).read_text()
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        place.remember(LINEAR, solved=True)
    assert (place.path / PROGRESS).read_text() == before
    assert not list(place.path.glob(".*.tmp"))


def test_all_solved(place, capsys):
    content = json.loads((place.path / PROGRESS).read_text())
    content["exercises"] = {one.name: {"solved": True} for one in catalogue.all_exercises()}
    (place.path / PROGRESS).write_text(json.dumps(content))
    assert "every exercise is solved" in run(capsys, "check")[2]
    with pytest.raises(Failure, match="every exercise is solved"):
        desk.exercise_of(place, None)
    desk.watch(place, lambda: False)


# Pictures.


def test_a_heat_map_shows_which_elements_are_wrong():
    import numpy as np

    expected = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    got = expected * [[1, 0.5, 1], [-1, 1, 1.05]]
    assert heat_map(got, expected)[:2] == ["    ·· ▒▒ ··", "    ██ ·· ░░"]
    assert heat_map(expected, expected) == []
    assert heat_map(np.zeros((40, 40)), np.ones((40, 40))) == []
    assert heat_map(np.zeros((2, 1, 2)), np.arange(4.0).reshape(2, 1, 2))[0] == "  at [0]:"


def test_a_chart_draws_the_later_curve_over_the_earlier():
    lines = chart({".": [3.0, 2.0, 1.0], "o": [3.0, 2.0, 2.0]})
    assert "o" in lines[0]
    assert any("." in line for line in lines[:-2])
    assert max(map(len, lines)) < 80
    assert chart({"o": [1.0]})


def test_loading_forgets_nothing_and_caches_nothing(tmp_path):
    path = tmp_path / "one.py"
    path.write_text("a = 1\n")
    assert reading.load(path).a == 1
    path.write_text("a = 2\n")
    assert reading.load(path).a == 2
    assert not (tmp_path / "__pycache__").exists()
