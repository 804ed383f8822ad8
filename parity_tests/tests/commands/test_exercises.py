"""The exercises, mutation-tested: the original is accepted, a blank gets a kind word, each mistake is refused."""

import ast
import copy
import functools
import importlib.util
import inspect
from dataclasses import fields

import numpy as np
import pytest

import scratch
from benchmarks.exercises import catalogue, cutting, hints, sheets
from benchmarks.exercises.exercise import Derived, Explain, Find, FindMethod, Method, Write
from benchmarks.exercises.grading import cases, witnesses
from benchmarks.exercises.grading.grade import grade
from parity_tests.harness.compare import upstream
from parity_tests.museum import EXHIBITS
from parity_tests.museum.exhibit import LayerExhibit, OptimizerExhibit
from scratch.nn import Parameter

EXERCISES = catalogue.all_exercises()
CODE = [one for one in EXERCISES if isinstance(one, Derived)]
TO_WRITE = [one for one in CODE if isinstance(one, Write) and not isinstance(one, FindMethod)]
TO_MEND = [one for one in CODE if isinstance(one, FindMethod)]
TO_FIND = [one for one in CODE if isinstance(one, Find)]
PREDICTIONS = [one for one in EXERCISES if isinstance(one, Explain)]


def each(exercises):
    return pytest.mark.parametrize("exercise", exercises, ids=[one.name for one in exercises])


drawn = functools.cache(cases.trials)


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch):
    monkeypatch.setattr(witnesses, "WITH_TORCH", 2)
    monkeypatch.setattr(witnesses, "WITHOUT", 1)
    # An exercise is graded several times, on the same calls each time, and drawing them takes longer than grading.
    monkeypatch.setattr(cases, "trials", lambda *arguments: copy.deepcopy(drawn(*arguments)))


def write(tmp_path, exercise, text):
    path = tmp_path / catalogue.file_name(exercise)
    path.write_text(text)
    return path


def exhibit_of(exercise):
    return next(one for one in EXHIBITS if one.wrong.__name__ == exercise.exhibit)


def as_written(exercise):
    """Turn an exercise in finding a mistake into one in writing the backward."""
    kept = {field.name: getattr(exercise, field.name) for field in fields(Derived)}
    return Write(**kept, blank="U" if cases.is_rule(exercise) else "B")


def test_there_are_enough_of_each_kind_and_names_are_unique():
    assert len(EXERCISES) >= 40
    assert len({one.name for one in EXERCISES}) == len(EXERCISES)
    assert min(len(TO_WRITE), len(TO_FIND), len(PREDICTIONS)) >= 10
    assert all(name in {one.name for one in TO_WRITE} for names in catalogue.NEEDED.values() for name in names)
    assert next(one.name for one in catalogue.on_layer("Softmax")) == "softmax"


@each(CODE)
def test_the_original_is_accepted(exercise, tmp_path):
    verdict = grade(exercise, write(tmp_path, exercise, cutting.solution_of(exercise)))
    assert verdict.status == "solved", verdict.text
    assert "PyTorch" in verdict.text


def test_finite_differences_object_without_pytorch(monkeypatch):
    monkeypatch.setattr(witnesses, "WITH_TORCH", 0)
    monkeypatch.setattr(witnesses, "_museums_cases", lambda original: [])
    exercise = next(one for one in TO_WRITE if one.name == "conv2d")
    forward, backward = cases.originals(exercise)

    @functools.wraps(backward)
    def too_large(*given):
        return tuple(1.01 * grad for grad in backward(*given))

    verdict = witnesses.verdict(exercise, (forward, too_large))
    assert "Finite differences objects" in verdict.text


@each(TO_WRITE)
def test_a_blank_gets_a_kind_word(exercise, tmp_path):
    path = write(tmp_path, exercise, sheets.sheet(exercise))
    verdict = grade(exercise, path)
    assert verdict.status == "blank", verdict.text
    assert "Still to be written" in verdict.text
    assert "Traceback" not in verdict.text
    blank = [number for number, line in enumerate(path.read_text().splitlines(), 1) if " = ..." in line]
    assert blank
    assert all(f"line {number:3}" in verdict.text for number in blank)


@each([*TO_FIND, *TO_MEND])
def test_a_mistake_is_refused_and_not_given_away(exercise, tmp_path):
    verdict = grade(exercise, write(tmp_path, exercise, sheets.sheet(exercise)))
    assert verdict.status == "wrong", verdict.text
    assert "first wrong line" not in verdict.text
    assert exercise.exhibit not in sheets.sheet(exercise)


@each(TO_FIND)
def test_the_first_wrong_line_is_the_one_that_was_changed(exercise, tmp_path):
    source = cutting.source_of(exercise)
    verdict = grade(as_written(exercise), write(tmp_path, exercise, source))
    assert verdict.status == "wrong"
    wrong, lines = exercise.wrong.splitlines(), source.splitlines()
    first = next(i for i in range(len(lines)) if all(a.strip() in b for a, b in zip(wrong, lines[i:], strict=False)))
    said = next(line for line in verdict.text.splitlines() if "first wrong line is line" in line)
    number = int(said.split("line is line")[1].strip(" :"))
    assert first + 1 <= number <= first + len(wrong), verdict.text


def test_what_belongs_in_the_first_wrong_line_is_said(tmp_path):
    exercise = next(one for one in TO_FIND if one.wrong == "grad_x = grad_y * (1 - y)")
    verdict = grade(as_written(exercise), write(tmp_path, exercise, cutting.source_of(exercise)))
    said = "This is the gradient of y times (1 - y); it should be the gradient of x: grad(y) * (1 - y**2)."
    assert said in " ".join(verdict.text.split())


@each(TO_MEND)
def test_the_disguise_of_a_class_computes_what_the_exhibit_computes(exercise, tmp_path):
    exhibit, found = exhibit_of(exercise), []
    spec = importlib.util.spec_from_file_location("disguise", write(tmp_path, exercise, cutting.source_of(exercise)))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    disguise = getattr(module, exercise.function)
    passes_of = {name: getattr(disguise, name) for name in ("forward", "backward")}
    for cls in (type("Disguise", (exhibit.right,), passes_of), exhibit.wrong):
        scratch.manual_seed(0)
        model = exhibit.build(cls, np.float64, **exhibit.options)
        outputs = model(*exhibit.inputs)
        grad_x = model.backward(*upstream(list(outputs), 0))
        found.append([*outputs, grad_x, *[one.grad for one in model.parameters()]])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@each(TO_FIND)
def test_the_disguise_computes_what_the_exhibit_computes(exercise, tmp_path):
    exhibit = exhibit_of(exercise)
    names = [one.__name__ for one in cases.originals(exercise)]
    spec = importlib.util.spec_from_file_location("disguise", write(tmp_path, exercise, cutting.source_of(exercise)))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    functions = tuple(getattr(module, name) for name in names)
    if isinstance(exhibit, OptimizerExhibit):
        found = [
            steps(cls, exhibit.options)
            for cls in (type("Disguise", (exhibit.right,), {"rule": functions[0]}), exhibit.wrong)
        ]
    else:
        disguised = exhibit.build(exhibit.right, np.float64, **exhibit.options).train(exhibit.training)
        assert cases.put_in(disguised, cases.originals(exercise), functions)
        wrong = exhibit.build(exhibit.wrong, np.float64, **exhibit.options).train(exhibit.training)
        found = [passes(layer, exhibit.inputs) for layer in (disguised, wrong)]
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def passes(layer, inputs):
    scratch.manual_seed(0)
    with scratch.plain():
        y = np.asarray(layer(*inputs))
        (grad,) = upstream([y], 0)
        returned = layer.backward(grad if grad.ndim else float(grad))
    parameters = [parameter.grad for parameter in layer.parameters() if parameter.grad is not None]
    returned = returned if isinstance(returned, tuple) else (returned,)
    return [y, *[one for one in returned if one is not None], *parameters]


def steps(cls, options):
    rng, parameter = np.random.default_rng(0), Parameter(np.arange(1.0, 4.0))
    optimizer = cls([parameter], **options)
    with scratch.plain():
        for _ in range(4):
            parameter.grad = rng.normal(size=3)
            optimizer.step()
    return [parameter.data]


def fitting():
    """Yield the exercises on whole backwards, each with the functions of every exhibit that fit it."""
    for exercise in TO_WRITE:
        if isinstance(exercise, Method) or exercise.blank not in ("B", "U", "F1 F2 B"):
            continue
        originals = cases.originals(exercise)
        for exhibit in EXHIBITS:
            if isinstance(exhibit, OptimizerExhibit) and cases.is_rule(exercise):
                functions = (vars(exhibit.wrong).get("rule"),)
                functions = functions if exhibit.right.__name__ == exercise.layer else ()
            elif isinstance(exhibit, LayerExhibit) and not cases.is_rule(exercise):
                functions = vars(exhibit.wrong).get("functions", ())
                functions = (
                    functions if cases.slot(exhibit.right, originals) is None and _is_of(exhibit, originals) else ()
                )
            else:
                continue
            if len(functions) == len(originals) and all(map(same_signature, functions, originals)):
                yield pytest.param(exercise, functions, id=f"{exercise.name}-{exhibit.wrong.__name__}")


def _is_of(exhibit, originals):
    return getattr(exhibit.right, "functions", None) == originals


def same_signature(one, other):
    return one is not None and list(inspect.signature(one).parameters) == list(inspect.signature(other).parameters)


FITTING = list(fitting())


def test_there_are_fitting_exhibits():
    assert len(FITTING) > 25


@pytest.mark.parametrize(("exercise", "functions"), FITTING)
def test_each_fitting_exhibit_is_refused(exercise, functions, tmp_path):
    imports, stands = [], []
    for wrong, original in zip(functions, cases.originals(exercise), strict=True):
        arguments = ", ".join(
            f"{name}={name}" if one.kind is one.KEYWORD_ONLY else name
            for name, one in inspect.signature(original).parameters.items()
        )
        signature = _signature(original)
        imports.append(f"from {wrong.__module__} import {wrong.__name__} as wrong_{original.__name__}")
        stands.append(f"def {original.__name__}({signature}):\n    return wrong_{original.__name__}({arguments})\n")
    text = "\n".join([*imports, "", *stands])
    verdict = grade(exercise, write(tmp_path, exercise, text))
    assert verdict.status in ("wrong", "broken"), verdict.text


def _signature(function):
    parameters, star = [], False
    for name, one in inspect.signature(function).parameters.items():
        if one.kind is one.KEYWORD_ONLY and not star:
            parameters.append("*")
            star = True
        parameters.append(name)
    return ", ".join(parameters)


@each(PREDICTIONS)
def test_a_prediction_is_answered_before_it_is_computed(exercise, tmp_path):
    answer, lines = exercise.compute()
    path = write(tmp_path, exercise, sheets.sheet(exercise))
    assert grade(exercise, path).status == "blank"
    assert not any(line.strip() and line in path.read_text() for line in lines if len(line) > 20)
    for letter in "abcd" if exercise.choices else "":
        path.write_text(f"answer = {letter!r}\n")
        assert (grade(exercise, path).status == "solved") == (letter == answer)
    if not exercise.choices:
        path.write_text("answer = 12345\n")
        assert grade(exercise, path).status == "wrong"
        path.write_text(f"answer = {answer!r}\n")
        verdict = grade(exercise, path)
        assert verdict.status == "solved"
        assert " ".join(lines[0].split()) in " ".join(verdict.text.split())
        assert max(map(len, verdict.text.splitlines())) < 80


def test_a_prediction_is_not_run(tmp_path):
    path = write(tmp_path, PREDICTIONS[0], "answer = 1 / 0\n")
    assert grade(PREDICTIONS[0], path).status == "broken"
    path.write_text("import nothing\nanswer = (3, \n")
    assert grade(PREDICTIONS[0], path).status == "broken"
    path.write_text("")
    assert "no line `answer" in grade(PREDICTIONS[0], path).text


@each(EXERCISES)
def test_everything_fits_a_terminal_and_a_hint_is_one_step(exercise):
    for said in hints.hints(exercise).values():
        assert said
        assert len(set(said)) == len(said)
    if not isinstance(exercise, Write) or isinstance(exercise, Method):
        return
    for label, said in hints.hints(exercise).items():
        equation = next((one for one in said if one.startswith(f"{label}  ")), None)
        if label[0] == "B":
            assert equation is not None
            right = equation.split(" = ", 1)[-1]
            before = said[: said.index(equation)]
            # Where a gradient is just a copy of another one, the rule has to say so.
            assert " " not in right or not any(right in one for one in before), (label, said)


def test_a_sheet_has_no_backward_that_it_asks_for():
    text = sheets.sheet(catalogue.named("linear"))
    assert "grad_y.T @ x" not in text
    assert "B1a" not in text
    ast.parse(text)


def test_what_is_cut_out_is_cut_when_the_folder_is_made(monkeypatch):
    exercise = copy.copy(catalogue.named("relu"))
    assert "np.where(y != 0, grad_y, 0)" in cutting.solution_of(exercise)
    assert "np.where(y != 0, grad_y, 0)" not in cutting.source_of(exercise)
    source = inspect.getsource(exercise.source).replace("np.maximum(0, x)", "np.maximum(0.0, x)")
    monkeypatch.setattr(inspect, "getsource", lambda module: source)
    assert "np.maximum(0.0, x)" in cutting.source_of(exercise)
