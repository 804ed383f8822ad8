"""What the tests of ``backprop check`` share."""

import pytest

from benchmarks.cli import main


@pytest.fixture
def check_file(tmp_path, capsys):
    """Return a function that writes a file, runs the command on NAME in it, and returns status, output and error."""

    def run(source, name, *options):
        path = tmp_path / "my.py"
        path.write_text(source)
        status = main(["check", f"{path}:{name}", *options])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def checked(check_file):
    """Return a function that does the same, and returns the exit status and all that was printed."""

    def run(source, name, *options):
        status, out, err = check_file(source, name, *options)
        return status, out + err

    return run


@pytest.fixture
def wrong_line(checked):
    """Return a function that checks a wrong source, and returns the line that is marked and the sentence about it."""

    def run(source, name, *options):
        status, out = checked(source, name, *options)
        assert status == 1, out
        marked = [shown for shown in out.splitlines() if shown.startswith("> ")]
        assert len(marked) == 1, out
        return marked[0], next(line for line in out.splitlines() if line.startswith("The first "))

    return run
