"""What the tests of ``backprop check`` share."""

import pytest

from benchmarks.cli import main


@pytest.fixture
def checked(tmp_path, capsys):
    """Return a function that writes a file, checks NAME in it, and returns the exit status and what was printed."""

    def run(source, name, *options):
        path = tmp_path / "my.py"
        path.write_text(source)
        status = main(["check", f"{path}:{name}", *options])
        out, err = capsys.readouterr()
        return status, out + err

    return run
