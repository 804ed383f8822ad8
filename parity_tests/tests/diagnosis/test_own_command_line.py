"""A file that reads a command line, or runs its tests, while it is loaded: it sees none of ours."""

LAYER = """
import argparse
import sys
import unittest

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--slope", type=float, default=0.5)
options = parser.parse_args()


class Scale:
    def forward(self, x):
        assert len(sys.argv) == 1
        return x * options.slope

    def backward(self, g):
        return g * options.slope
"""


def test_the_files_options_have_their_defaults(check_file):
    status, out, err = check_file(LAYER, "Scale", "--input", "5,3")
    assert (status, err) == (0, "")
    assert "All agree." in out
    wrong = LAYER.replace("return g * options.slope", "return g")
    status, out, _ = check_file(wrong, "Scale", "--input", "5,3")
    assert status == 1
    assert "grad_input: 15 of 15 elements differ" in out


def test_a_required_argument_and_unguarded_tests_are_named(check_file):
    required = LAYER.replace("options = ", "parser.add_argument('data')\noptions = ")
    status, out, _ = check_file(required, "Scale", "--input", "5,3")
    assert status == 1
    assert "a required argument" in out
    status, out, err = check_file(LAYER + "\nunittest.main()\n", "Scale", "--input", "5,3")
    assert status == 1
    assert "unittest.main() ended the program" in out
    assert "if __name__ == '__main__':" in out
    assert "unrecognized arguments" not in err
