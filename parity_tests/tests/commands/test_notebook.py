"""The course as a notebook: it is made of the lessons' texts, runs top to bottom, and replaces nothing but itself."""

import json
import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import cli, files, lessons, notebook
from parity_tests.tests.commands.test_cli import refused

ROOT = Path(__file__).parents[3]
MISSING = [name for name in notebook.PACKAGES if find_spec(name) is None]
needs_notebook = pytest.mark.skipif(bool(MISSING), reason=f"the notebook extra is not installed: {', '.join(MISSING)}")


@pytest.mark.parametrize("name", lessons.NAMES)
def test_a_lesson_has_text_and_cells(name):
    kinds = [kind for _, kind, _ in notebook.section(name)]
    assert kinds[0] == kinds[-1] == "markdown"
    assert kinds.count("code") >= 2
    for _, kind, source in notebook.section(name):
        assert source
        assert not source.startswith("#") or kind == "markdown" or "\n" in source
        if kind == "code":
            compile(source, name, "exec")


@pytest.mark.parametrize("name", lessons.NAMES)
def test_a_section_has_the_lessons_own_words(name):
    words, (_, _, first), *_, (_, _, last) = lessons.text(name), *notebook.section(name)
    assert words.title in first
    for said, part in ((first, words.body), (last, words.in_rl), (last, words.takeaways), (last, words.next)):
        flat = " ".join(re.sub(r"[\\`]", "", said).split())
        plain = [line for line in part.splitlines() if line and not line.startswith("    ")]
        assert [line for line in plain if " ".join(line.replace("`", "").split()) not in flat] == []


def test_markdown_takes_no_letter_for_its_own():
    assert notebook.escaped("a * b_1 < `c * d` $") == r"a \* b\_1 \< `c * d` \$"
    assert notebook.paragraphs("One\nline.\n\nTable:\n    a  b\n    c  d\nEnd.") == [
        "One line.",
        "Table:",
        "```text\na  b\nc  d\n```",
        "End.",
    ]


@needs_notebook
def test_the_notebook_is_the_same_each_time_and_valid(tmp_path, capsys):
    path = tmp_path / "course.ipynb"
    assert cli.main(["notebook", "--out", str(path)]) == 0
    assert "Written" in capsys.readouterr().out
    content = path.read_bytes()
    found = json.loads(content)
    assert len({cell["id"] for cell in found["cells"]}) == len(found["cells"])
    assert all(any(cell["id"].startswith(name) for cell in found["cells"]) for name in lessons.NAMES)
    assert cli.main(["notebook", "--out", str(path)]) == 0
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@needs_notebook
def test_a_notebook_with_outputs_is_replaced_and_an_edited_one_is_not(tmp_path, capsys):
    path = tmp_path / "course.ipynb"
    path.write_bytes(notebook.build())
    found = json.loads(path.read_text())
    code = next(cell for cell in found["cells"] if cell["cell_type"] == "code")
    code["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["run\n"]}]
    path.write_text(json.dumps(found))
    assert cli.main(["notebook", "--out", str(path)]) == 0
    assert path.read_bytes() == notebook.build()
    code["source"] = "print('mine')"
    path.write_text(json.dumps(found))
    kept = path.read_bytes()
    assert cli.main(["notebook", "--out", str(path)]) == 1
    assert "was edited" in capsys.readouterr().err
    assert path.read_bytes() == kept


@pytest.mark.parametrize("edited", [False, True])
def test_what_comes_meanwhile_is_not_replaced(tmp_path, capsys, monkeypatch, edited):
    path = tmp_path / "course.ipynb"
    monkeypatch.setattr(notebook, "require", lambda: None)
    if edited:
        ours = {"cells": [], "metadata": {}}
        ours["metadata"] = {notebook.MARK: {"sha256": notebook.digest(ours)}}
        path.write_text(json.dumps(ours))

    def build():
        path.write_bytes(b"mine")
        return b"ours"

    monkeypatch.setattr(notebook, "build", build)
    assert "is not" in refused(capsys, 1, ["notebook", "--out", str(path)])
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content", [b"", b"of before", b"{}", b'{"metadata": 1}', b"[1]", b'{"cells": [], "metadata": {}}']
)
def test_another_file_is_not_replaced(tmp_path, capsys, content):
    path = tmp_path / "course.ipynb"
    path.write_bytes(content)
    assert "is not a notebook of ours" in refused(capsys, 1, ["notebook", "--out", str(path)])
    assert path.read_bytes() == content


def test_a_link_and_a_missing_folder_are_refused(tmp_path, capsys):
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in refused(capsys, 1, ["notebook", "--out", str(tmp_path / "link.ipynb")])
    assert "there is no folder" in refused(capsys, 1, ["notebook", "--out", str(tmp_path / "no" / "x.ipynb")])


def test_without_the_extra_it_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(notebook.importlib.util, "find_spec", lambda name: None)
    assert "notebook extra" in refused(capsys, 1, ["notebook", "--out", str(tmp_path / "x.ipynb")])
    assert list(tmp_path.iterdir()) == []


@needs_notebook
def test_interrupted_it_leaves_the_old_notebook_whole(tmp_path, capsys, monkeypatch):
    path = tmp_path / "course.ipynb"
    path.write_bytes(notebook.build())
    kept = path.read_bytes()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", interrupted)
    assert cli.main(["notebook", "--out", str(path)]) == 130
    assert path.read_bytes() == kept
    assert list(tmp_path.iterdir()) == [path]


@needs_notebook
def test_it_runs_from_top_to_bottom_with_its_figures_inline(monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("BACKPROP_DATA", os.devnull)  # the bundled digits
    found = nbformat.reads(notebook.build().decode(), as_version=4)
    NotebookClient(found, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = [output for cell in found.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 5
    printed = "".join(
        output["text"] for output in outputs if output.output_type == "stream" and output.name == "stdout"
    )
    assert "two layers: loss" in printed
    assert "Digits (" in printed
