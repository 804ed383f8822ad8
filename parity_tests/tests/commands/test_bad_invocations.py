"""Command lines and data sets that make no sense: one line, an exit status of 1 or 2, and the disk as it was.

    python -m pytest -n 0 -s parity_tests/tests/commands/test_bad_invocations.py

prints how many were tried; ``--hypothesis-profile=thorough`` tries twenty times as many.
"""

import collections
import gzip
import os
import random
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import cli, tasks
from benchmarks.errors import Failure, one_line, pasteable, shown
from benchmarks.tasks import idx
from parity_tests.tests.commands.test_tasks import offline, write_small_mnist
from parity_tests.tests.runs.test_resume import posix

__all__ = ["offline"]

AT_A_TIME = 20
TRIED = collections.Counter()
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module", autouse=True)
def figures():
    """Print how many were tried, after all tests; a fault fails its test."""
    yield
    print(
        f"\ntried: {', '.join(f'{count} {what}' for what, count in sorted(TRIED.items()))}; faults: those that failed"
    )


# Command lines.

WEIRD = [
    *("", " ", "-", "--", "-1", "0", "1e999", "nan", "inf", "1_000", "٣", "0x10", "True", "None", "1501", "9" * 5000),
    *("a\nbackprop train: all is well", "\x1b[31mred", "x" * 5000, "[/b]", "[red]x", ":smile:", "'", '"', "%s", "{x}"),
    *(
        "\ud800",
        "é",
        "a\0b",
        "/",
        "/dev/null",
        "/dev/zero",
        "/proc/self/mem",
        "absent/x",
        "file",
        "file/x",
        "full",
        "~",
    ),
]
COMMANDS = [
    "train TASK --engine ENGINE --epochs N --batch-size N --lr X --out PATH",
    "train TASK --engine ENGINE --seed N --dropout X --weight-decay X --checkpoint-every N",
    "train TASK --engine ENGINE --dtype W --device W --processes N --precision W",
    "train --resume PATH --epochs N --out PATH",
    "train mnist --engine ENGINE --data-dir PATH --out PATH",
    "demo --engine W --out PATH/x",
    "evaluate PATH --engine ENGINE --device W --data-dir PATH",
    "export PATH --onnx --out PATH",
    "drift PATH PATH --out PATH",
    "bench W --rounds N --repeats N --out PATH --compare PATH",
    "bench steps --rounds 1 --compare PATH",
    "bench --compare PATH PATH",
    "bench W --why --threads N,W --out PATH",
    "bench train --data-dir PATH --epochs N",
    "parity --cases N --figure PATH",
    "race --engine ENGINE --seeds N --data-dir PATH --precision W",
    "lesson W --engine W --seed N --out PATH",
    "lesson neuron --out file/x --seed N",
    "lesson mlp --engine ENGINE --seed N --out PATH",
    "lesson sequence --engine W --out PATH --data-dir PATH",
    "lesson world-model --engine ENGINE --seed X --out PATH",
    "pages --out PATH --figures PATH",
    "notebook --out PATH",
    "exercises start --out PATH",
    "exercises W --dir PATH",
    "exercises check W --dir PATH",
    "exercises hint linear --dir PATH",
    "exercises solution W --give-up --dir PATH",
    "exercises reset W --dir PATH",
    "exercises milestone W --dir PATH",
    "trace W --args W --input W --json PATH",
    "W --version W",
    "fly W",
]
SENSIBLE = {"TASK": "moons", "ENGINE": "scratch", "N": "1500", "X": "0.1", "PATH": "full", "W": "float32"}


def command_line(chance):
    """Return a command line with one weird word or more."""
    words = chance.choice(COMMANDS).split()
    weird = [number for number, word in enumerate(words) if word in SENSIBLE]
    chosen = set(chance.sample(weird, chance.randint(1, len(weird))) if weird else [])
    found = []
    for number, word in enumerate(words):
        value = chance.choice(WEIRD) if number in chosen else SENSIBLE.get(word, word)
        option = found[-1] if found and found[-1].startswith("--") and word in SENSIBLE else None
        if option and chance.random() < 0.5:
            found[-1] = f"{option}={value}"
        else:
            found.append(value)
    if chance.random() < 0.2:
        found.insert(chance.randint(0, len(found)), chance.choice(WEIRD))
    return found


def on_disk(folder):
    """Return what lies in a folder: each path, and of a file the time of its last change."""
    return {
        os.path.join(where, name): os.lstat(os.path.join(where, name)).st_mtime_ns if name in files else None
        for where, folders, files in os.walk(folder)
        for name in (*folders, *files)
    }


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """Return a folder to work in, with a file and a folder that is not empty; what would compute fails instead."""
    place = tmp_path_factory.mktemp("workplace")
    (place / "file").write_text("mine")
    (place / "full").mkdir()
    (place / "full" / ".notes").write_text("mine")

    def nothing(*args, **options):
        raise Failure("this is where it would compute")

    with pytest.MonkeyPatch.context() as context:
        context.chdir(place)
        context.delenv("BACKPROP_DATA", raising=False)
        context.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        context.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        context.setattr("benchmarks.commands.train.train_or_load", nothing)
        context.setattr("benchmarks.commands.parity.compare", nothing)
        context.setattr("benchmarks.commands.bench.measure", nothing)
        context.setattr("benchmarks.lessons.teach", nothing)
        context.setattr("benchmarks.pages.site._fill", nothing)
        context.setattr("benchmarks.notebook.build", nothing)
        context.setattr("benchmarks.exercises.folder.making", nothing)
        yield place


@pytest.mark.usefixtures("workplace")
@given(seed=seeds)
def test_bad_command_lines(seed):
    chance = random.Random(seed)
    for _ in range(AT_A_TIME):
        argv = command_line(chance)
        before = on_disk(".")
        status, said, out = run(argv)
        TRIED["command lines"] += 1
        if "-h" in argv or "--help" in argv or (status == 0 and out):
            continue  # help, a version, a trace
        assert status in (1, 2), argv
        *progress, last = said.splitlines()
        assert last.startswith("backprop"), argv
        assert last.isprintable(), argv
        assert len(last) < 8000, argv
        assert not any("Traceback" in line or line.startswith("backprop") for line in progress), argv
        assert "Error: " not in last, argv  # a name of Python's, and none of ours
        assert on_disk(".") == before, argv


def run(argv):
    """Run a command line in this process; return its exit status, and what it said on standard error and output."""
    import contextlib
    import io

    said, out = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(out):
        status = cli.main(argv)
    return status, said.getvalue(), out.getvalue()


@given(text=st.text(), argument=st.text(min_size=1))
def test_a_message_is_one_line_that_prints(text, argument):
    line = one_line(f"{text}{argument}", [argument])
    assert line.isprintable()
    assert shown(argument).isprintable()
    assert len(shown("x" * 10_000)) < 300


@posix
@given(name=st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=20))
def test_what_is_advised_can_be_pasted(name):
    import subprocess

    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:
        return
    command = pasteable(["printf", "%s", name])
    assert command.isprintable()
    if shutil.which("bash"):
        done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
        assert done.stdout == encoded


# Data sets.


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a small MNIST, to be copied."""
    place = tmp_path_factory.mktemp("data")
    write_small_mnist(place)
    return place


def damage(path, chance):
    """Damage one of the files; return how."""
    content = path.read_bytes()
    place = chance.randrange(min(len(content), 24)) if chance.random() < 0.7 else chance.randrange(len(content))
    how = chance.choice(["byte", "cut", "longer", "gzip", "page", "pipe", "folder", "device", "missing", "label", "gz"])
    if how == "byte":
        path.write_bytes(content[:place] + bytes([chance.randrange(256)]) + content[place + 1 :])
    elif how == "cut":
        path.write_bytes(content[:place])
    elif how == "longer":
        path.write_bytes(content + chance.randbytes(chance.randrange(1, 9)))
    elif how == "gzip":
        path.write_bytes(gzip.compress(content))
    elif how == "page":
        path.write_bytes(b"\n<!DOCTYPE html><html>not found</html>")
    elif how == "label":
        path.write_bytes(content[:-1] + b"\xff")
    else:
        path.unlink()
        if how == "pipe":
            os.mkfifo(path)
        elif how == "folder":
            path.mkdir()
        elif how == "device":
            path.symlink_to("/dev/zero")
        elif how == "gz":
            archive = path.with_name(f"{path.name}.gz")
            chance.choice(
                [
                    lambda: archive.write_bytes(b"<html>not found</html>"),
                    lambda: archive.write_bytes(gzip.compress(content)),
                    lambda: archive.write_bytes(gzip.compress(content)[:-9]),
                    lambda: archive.symlink_to("/dev/zero"),
                    lambda: os.mkfifo(archive),
                    lambda: archive.write_bytes(b""),
                ]
            )()
    return how


@posix
@pytest.mark.usefixtures("no_network")
@given(seed=seeds)
def test_damaged_data_sets_are_refused_by_the_files_name(tmp_path_factory, data, seed):
    chance = random.Random(seed)
    for _ in range(AT_A_TIME // 2):
        place = tmp_path_factory.mktemp("damaged") / "data"
        shutil.copytree(data, place)
        name = chance.choice(idx.FILES)
        how = damage(place / "MNIST" / "raw" / name, chance)
        TRIED["damaged data sets"] += 1
        try:
            tasks.get("mnist").load(place)
        except Failure as failure:
            said = str(failure)
        else:
            said = f"{name} was taken" if how in ("byte", "label") else ""
        partner = name.replace("images-idx3", "labels-idx1")  # where the two have other numbers of rows
        assert name in said or partner in said, how
        assert said.isprintable(), how
        shutil.rmtree(place)


@pytest.fixture(scope="module")
def no_network():
    """Make every download fail as it does without a network."""
    from torchvision.datasets import mnist

    def fail(*args, **kwargs):
        raise OSError("no network")

    with pytest.MonkeyPatch.context() as context:
        context.setattr(mnist, "download_and_extract_archive", fail)
        yield
