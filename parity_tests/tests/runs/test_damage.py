"""Damaged and crafted files of a run: whatever was done to them, they are refused by name or mean the same.

    python -m pytest -n 0 -s parity_tests/tests/runs/test_damage.py

prints how many were tried; ``--hypothesis-profile=thorough`` tries twenty times as many.
"""

import collections
import contextlib
import copy
import os
import random
import shutil
import socket

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import cli, engines, tasks
from benchmarks.errors import Failure
from benchmarks.runs import checkpoint, record
from benchmarks.runs.checkpoint import Keeper
from benchmarks.runs.interrupts import Interrupts
from benchmarks.runs.parts import load_model
from benchmarks.runs.settings import Settings
from benchmarks.runs.training import prepare
from parity_tests.tests.commands.test_cli import refused
from parity_tests.tests.runs.test_resume import posix, signalled

ROWS, AT_A_TIME = 1500, 20
VALUES = [None, True, False, -1, 0, 1, 2.5, 1e308, 2**70, "", "x", "float64", [], {}, [1], {"a": 1}]
TRIED = collections.Counter()
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module", autouse=True)
def figures():
    """Print how many files were tried, after all tests; a fault fails its test."""
    yield
    print(
        f"\ntried: {', '.join(f'{count} {what}' for what, count in sorted(TRIED.items()))}; faults: those that failed"
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run = tmp_path_factory.mktemp("finished") / "run"
    command = ["train", "moons", "--engine", "scratch", "--epochs", "2", "--batch-size", "300", "--out", str(run)]
    assert cli.main(command) == 0
    return run


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    run = tmp_path_factory.mktemp("unfinished") / "run"
    with pytest.MonkeyPatch.context() as context:
        signalled(context, "scratch", 8)
        command = ["train", "moons", "--engine", "scratch", "--epochs", "3", "--batch-size", "300", "--out", str(run)]
        assert cli.main(command) == 143
    return run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder for copies."""
    return tmp_path_factory.mktemp("copies")


@contextlib.contextmanager
def copied(run, place):
    """Copy a run, to be damaged."""
    copy_of_run = place / "run"
    shutil.copytree(run, copy_of_run)
    try:
        yield copy_of_run
    finally:
        shutil.rmtree(copy_of_run)


def read_finished(run):
    """Read all of a finished run, and return it in a form that can be compared."""
    config = record.load_config(run)
    settings, engine = Settings.of_config(config), engines.get("scratch")
    state = engine.state(load_model(engine, settings, run))
    return config, record.load_history(run), {name: array.tobytes() for name, array in state.items()}


def read_unfinished(run):
    """Read all of an unfinished run."""
    config = record.load_config(run, unfinished=True)
    settings, engine = Settings.of_config(config), engines.get("scratch")
    keeper = Keeper(run / "checkpoint.safetensors", settings, None, Interrupts())
    rest, arrays = keeper.read(engine, *prepare(settings, engine), ROWS)
    return config, rest, {name: array.tobytes() for name, array in arrays.items()}


def outcome(read, run, name):
    """Return what was read, or None if it was refused by a one-line ``Failure`` that names the file."""
    try:
        return read(run)
    except Failure as failure:
        said = str(failure)
    assert name in said
    assert said.isprintable()
    return None


# Bytes.


def damaged_bytes(content, chance):
    """Return a file's content with something changed, as disks, editors and transfers do."""
    place = chance.randrange(len(content))
    how = chance.choice(["flip", "byte", "cut", "drop", "insert", "zeros", "swap", "twice"])
    if how == "flip":
        return content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :]
    if how == "byte":
        return content[:place] + bytes([chance.randrange(256)]) + content[place + 1 :]
    if how == "cut":
        return content[:place]
    if how == "drop":
        return content[:place] + content[place + chance.randrange(1, 9) :]
    if how == "insert":
        return content[:place] + chance.randbytes(chance.randrange(1, 9)) + content[place:]
    if how == "zeros":
        length = chance.randrange(1, 600)
        return content[:place] + bytes(len(content[place : place + length])) + content[place + length :]
    if how == "swap":
        return content[place:] + content[:place]
    return content + content


@pytest.mark.parametrize(
    ("state", "name"),
    [
        ("finished", "config.json"),
        ("finished", "history.json"),
        ("finished", "model.safetensors"),
        ("unfinished", "config.json"),
        ("unfinished", "checkpoint.safetensors"),
    ],
)
@given(seed=seeds)
def test_changed_bytes(request, place, state, name, seed):
    chance, run = random.Random(seed), request.getfixturevalue(state)
    read = read_finished if state == "finished" else read_unfinished
    original = (run / name).read_bytes()
    with copied(run, place) as copy_of_run:
        for _ in range(AT_A_TIME):
            changed = damaged_bytes(original, chance)
            (copy_of_run / name).write_bytes(changed)
            TRIED["files with changed bytes"] += 1
            found = outcome(read, copy_of_run, name)
            assert found is None or changed == original or found == read(run)


# What a stranger could write: changed fields, with checksums made to fit.


def places(document, path=()):
    """Yield the path to each value in a document of objects and lists."""
    yield path
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        yield from places(value, (*path, key))


def changed_document(document, chance):
    """Return a copy of a document with one value changed, dropped, doubled or added."""
    document = copy.deepcopy(document)
    *way, key = chance.choice([path for path in places(document) if path])
    parent = document
    for step in way:
        parent = parent[step]
    how = chance.choice(["put", "put", "put", "drop", "more"])
    if how == "put":
        parent[key] = chance.choice(VALUES)
    elif how == "drop":
        del parent[key]
    elif isinstance(parent, list):
        parent.append(chance.choice(VALUES))
    else:
        parent["more"] = chance.choice(VALUES)
    return document


@pytest.mark.parametrize("state", ["finished", "unfinished"])
@given(seed=seeds)
def test_crafted_configs(request, place, state, seed):
    chance, run = random.Random(seed), request.getfixturevalue(state)
    original = record.load_config(run, unfinished=True)
    with copied(run, place) as copy_of_run:
        for _ in range(AT_A_TIME):
            changed = changed_document(original, chance)
            record.write_config(copy_of_run, changed)
            TRIED["crafted configs"] += 1
            found = outcome(lambda run: record.load_config(run, unfinished=True), copy_of_run, "config.json")
            if found is not None:  # another run, but a run
                settings = Settings.of_config(found)
                assert isinstance(settings.epochs, int)
                assert settings.epochs >= 1
                assert settings.task in tasks.NAMES


@given(seed=seeds)
def test_crafted_histories(finished, place, seed):
    chance = random.Random(seed)
    config, original = record.load_config(finished), record.load_history(finished)
    with copied(finished, place) as copy_of_run:
        for _ in range(AT_A_TIME):
            changed = changed_document(original, chance)
            record.save(copy_of_run, config, changed, {})
            TRIED["crafted histories"] += 1
            found = outcome(record.load_history, copy_of_run, "history.json")
            if found is not None:
                assert set(found) == set(original)
                assert {name: len(values) for name, values in found.items()} == {
                    name: len(values) for name, values in original.items()
                }
                assert all(0 <= value <= 1 for value in found["test_accuracy"])


FREE = ("seconds", "generator")  # what may differ in a run's checkpoint without contradicting the run
FREE_ARRAYS = ("model/", "exp_avg", "_loss", "_accuracy", "history/seconds", "step_correct")


@given(seed=seeds)
def test_crafted_checkpoints(unfinished, place, seed):
    chance = random.Random(seed)
    rest, arrays = checkpoint.read(unfinished / "checkpoint.safetensors")
    with copied(unfinished, place) as copy_of_run:
        for _ in range(AT_A_TIME):
            new_rest, new_arrays = rest, arrays
            if chance.random() < 0.5:
                new_rest = changed_document(rest, chance)
            else:
                new_arrays = changed_arrays(arrays, chance)
            checkpoint.write(copy_of_run / "checkpoint.safetensors", new_rest, new_arrays)
            TRIED["crafted checkpoints"] += 1
            found = outcome(read_unfinished, copy_of_run, "checkpoint.safetensors")
            if found is not None:
                assert set(found[1]) == set(rest)
                assert strip(found[1]) == strip(rest)
                different = [name for name, array in arrays.items() if found[2][name] != array.tobytes()]
                assert all(any(free in name for free in FREE_ARRAYS) for name in different)


def strip(rest):
    """Return the plain values of a checkpoint without those that may differ."""
    rest = copy.deepcopy(rest)
    rest.pop("generator")
    rest["progress"].pop("seconds")
    return rest


def changed_arrays(arrays, chance):
    """Return the named arrays with one change."""
    arrays, name = dict(arrays), chance.choice(sorted(arrays))
    array = arrays.pop(name)
    how = chance.choice(["drop", "rename", "shape", "dtype", "number", "more"])
    if how == "rename":
        arrays[f"{name}x"] = array
    elif how == "shape":
        arrays[name] = chance.choice([array[None], array.reshape(-1)[:-1], np.concatenate([array.ravel()] * 2)])
    elif how == "dtype":
        arrays[name] = array.astype(chance.choice(["float64", "float32", "int64", "uint8"]))
    elif how == "number":
        arrays[name] = array.copy()
        if array.size:
            arrays[name].flat[chance.randrange(array.size)] = chance.choice([-1, 0, 1, 7, 255])
    elif how == "more":
        arrays |= {name: array, "another": array}
    return arrays


# What is no ordinary file.


def as_socket(path):
    """Make a socket from within its folder, since the path to a socket must be short."""
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


SPECIAL = {
    "pipe": os.mkfifo,
    "folder": os.mkdir,
    "socket": as_socket,
    "device": lambda path: os.symlink("/dev/zero", path),
    "link to nothing": lambda path: os.symlink("absent", path),
    "link to itself": lambda path: os.symlink(path.name, path),
    "empty file": lambda path: path.write_bytes(b""),
    "sparse file": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 40),
}


@posix
@pytest.mark.parametrize("what", SPECIAL)
@pytest.mark.parametrize("name", ["config.json", "history.json", "model.safetensors", "checkpoint.safetensors"])
def test_what_is_no_file_is_refused_without_waiting_for_it(capsys, request, place, name, what):
    checkpoints = name == "checkpoint.safetensors"
    run = request.getfixturevalue("unfinished" if checkpoints else "finished")
    capsys.readouterr()
    with copied(run, place) as copy_of_run:
        (copy_of_run / name).unlink()
        SPECIAL[what](copy_of_run / name)
        TRIED["special files"] += 1
        if checkpoints:
            assert cli.main(["train", "--resume", str(copy_of_run)]) == 1
            assert name in capsys.readouterr().err.splitlines()[-1]
        else:
            assert name in refused(capsys, 1, ["evaluate", copy_of_run, "--engine", "scratch"])


def test_a_header_that_announces_more_than_there_is_takes_no_memory(finished, place):
    with copied(finished, place) as copy_of_run:
        path = copy_of_run / "model.safetensors"
        text = b'{"a":{"dtype":"F64","shape":[17179869184],"data_offsets":[0,137438953472]}}'
        path.write_bytes(len(text).to_bytes(8, "little") + text)
        os.truncate(path, 8 + len(text) + (1 << 37))
        assert outcome(read_finished, copy_of_run, "model.safetensors") is None


# Data.


def test_other_data_than_at_the_start_are_noticed(capsys, unfinished, place, monkeypatch):
    from benchmarks.tasks import moons

    load = moons.TASK.load

    def other(data_dir):
        data = load(data_dir)
        data.x_train[7, 1] += 1e-9
        return data

    monkeypatch.setattr(moons, "TASK", type(moons.TASK)(**{**vars(moons.TASK), "load": other}))
    with copied(unfinished, place) as copy_of_run:
        before = sorted(os.listdir(copy_of_run))
        assert "began with other data of moons" in refused(capsys, 1, ["train", "--resume", copy_of_run])
        assert sorted(os.listdir(copy_of_run)) == before


def test_another_number_of_threads_is_said(capsys, unfinished, place, monkeypatch):
    with copied(unfinished, place) as copy_of_run:
        monkeypatch.setattr("benchmarks.engines.ScratchEngine.threads", lambda engine, processes: {"own": 7, "blas": 1})
        assert cli.main(["train", "--resume", str(copy_of_run)]) == 0
    assert "note: scratch began on" in capsys.readouterr().err
