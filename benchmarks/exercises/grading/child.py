"""The process in which a learner's file runs: ``child NAME FILE RESULT`` writes the verdict into RESULT, as JSON."""

import json
import sys
from pathlib import Path

from benchmarks.exercises import catalogue
from benchmarks.exercises.grading.grade import grade


def main(name: str, file: str, result: str) -> None:
    """Grade one file."""
    exercise = catalogue.named(name)
    assert exercise is not None
    verdict = grade(exercise, Path(file))
    Path(result).write_text(json.dumps(verdict.as_json()))


if __name__ == "__main__":
    main(*sys.argv[1:])
