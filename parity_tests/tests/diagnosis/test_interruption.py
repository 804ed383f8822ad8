"""Ctrl-C while a user's layer hangs: one line, whatever the layer does about it, and the exit status 130."""

import signal
import subprocess
import sys
import time

import pytest

LAYERS = """
import os
import sys
import time


def hang():
    os.write(1, b"hangs" + bytes([10]))
    while True:
        time.sleep(0.01)


class Constructor:
    def __init__(self):
        hang()


class Forward:
    def forward(self, x):
        hang()

    def backward(self, g):
        return g


class Backward:
    def forward(self, x):
        return 2 * x

    def backward(self, g):
        hang()


class OnTheTape:
    def forward(self, x):
        if sys.gettrace() is not None:
            hang()
        return 2 * x

    def backward(self, g):
        return 3 * g


class Raising(Forward):
    def forward(self, x):
        try:
            hang()
        except BaseException:
            raise ValueError("not my fault")


class Catching(Forward):
    def forward(self, x):
        try:
            hang()
        except KeyboardInterrupt:
            return 2 * x


class Deaf(Forward):
    def forward(self, x):
        while True:
            try:
                hang()
            except KeyboardInterrupt:
                pass
"""


@pytest.mark.parametrize(
    ("name", "presses"),
    [
        ("Constructor", 1),
        ("Forward", 1),
        ("Backward", 1),
        ("OnTheTape", 1),
        ("Raising", 1),
        ("Catching", 1),
        ("Deaf", 2),
    ],
)
def test_it_ends_with_one_line(tmp_path, name, presses):
    (tmp_path / "my.py").write_text(LAYERS)
    command = [sys.executable, "-m", "benchmarks", "check", f"{tmp_path / 'my.py'}:{name}", "--input", "4,3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "hangs\n"
            for _ in range(presses):
                process.send_signal(signal.SIGINT)
                time.sleep(0.3)
            _, error = process.communicate(timeout=30)
        finally:
            process.kill()
    assert error == "backprop check: interrupted\n"
    assert process.returncode == 130
