"""The site as files: complete, small and linked; built next to its place, and replacing nothing but an earlier site."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser

import pytest

from benchmarks import cli, lessons
from benchmarks.exercises.catalogue import all_exercises
from benchmarks.pages import site as pages
from benchmarks.pages.discovery import KINDS, class_of
from benchmarks.pages.frame import Page
from benchmarks.pages.html import Html
from parity_tests.catalogue import of_kind
from parity_tests.harness.derivation import derivations, files
from parity_tests.museum import EXHIBITS
from parity_tests.tests.commands.test_cli import refused
from parity_tests.tests.pages.conftest import content, entries

LARGEST = 1_000_000


class Parsed(HTMLParser):
    """A parsed page: its ids, elements and links."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.elements, self.open, self.prose = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.elements.append((tag, found))
        self.open.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found[key] for key in ("href", "src") if key in found]
        self.links += [f"{found['action']}"] if "action" in found else []

    def handle_endtag(self, tag):
        while self.open.pop() != tag:  # those without an end
            pass

    def handle_data(self, data):
        if not {"code", "pre", "math", "script", "title"} & set(self.open):
            self.prose.append(data)


@pytest.fixture(scope="module")
def parsed(site, paths):
    return {path: Parsed((site / path).read_text(encoding="utf-8")) for path in paths}


# What is in it.


def test_there_is_a_page_for_each_lesson_layer_loss_and_optimizer(site, paths):
    assert {f"lessons/{name}.html" for name in lessons.NAMES} <= set(paths)
    found = {(one["title"], one["kind"]) for one in entries(site)}
    for entry in of_kind(*KINDS):
        if class_of(entry) is not None:
            assert (entry.name, entry.kind) in found
    for name in files():
        if derivations(name):
            assert f"{name.replace('.', '/')}.html" in paths


def test_every_statement_has_its_row_and_every_row_its_equation(site):
    for name in files():
        for one in derivations(name):
            text = (site / f"{name.replace('.', '/')}.html").read_text()
            for statement in (*one.forward, *one.backward):
                if statement.label:
                    assert text.count(f'id="{one.name}-{statement.label}"') == 1


def test_every_mistake_is_in_the_museum_and_on_its_layers_page(site):
    museum = (site / "museum.html").read_text()
    for exhibit in EXHIBITS:
        assert f'id="{exhibit.wrong.__name__}"' in museum
    page = (site / "scratch/nn/batchnorm.html").read_text()
    mine = [one for one in EXHIBITS if {"BatchNorm1d", "BatchNorm2d"} & set(one.of)]
    assert page.count("museum.html#") == len(mine) > 3


def test_what_a_mistake_passes_is_not_among_what_catches_it(site):
    museum = (site / "museum.html").read_text()
    lists = re.findall(r"Caught by .*?</ul>", museum)
    assert len(lists) == len(EXHIBITS)
    assert set(re.findall(r"<li>(.*?)</li>", "".join(lists))) == {"PyTorch", "finite differences", "laws"}
    assert museum.count("Passes a check with") == sum(bool(one.passes_ones) for one in EXHIBITS)


def test_sentences_have_neither_raw_markup_nor_formulas_in_plain_text(parsed):
    raw = re.compile(r"`|\w\^|\^\w|\b(?:sqrt|exp)\(|<-|\*\*|\w \*= |\bd[A-Z]/d")
    found = {
        path: [one for one in page.prose if raw.search(re.sub(r"np\.exp\(", "", one))] for path, page in parsed.items()
    }
    assert {path: said for path, said in found.items() if said} == {}
    descriptions = [
        one["content"] for page in parsed.values() for _, one in page.elements if one.get("name") == "description"
    ]
    assert not any("`" in one for one in descriptions)


def test_every_exercise_is_on_its_page_and_leads_to_its_layer_and_back(site, parsed):
    page, linked = parsed["exercises.html"], set()
    for exercise in all_exercises():
        assert exercise.name in page.ids
        link = next((one for one in page.links if one.endswith(f"#{exercise.layer}")), None)
        if link is not None:
            linked.add(exercise.layer)
            assert f"exercises.html#{exercise.name}" in (site / link.partition("#")[0]).read_text()
    assert {one.layer for one in all_exercises()} - linked <= {"Skip", "ActorCritic"}


def test_no_page_is_large(site, paths):
    assert {path: size for path in paths if (size := (site / path).stat().st_size) > LARGEST} == {}


def test_all_links_and_anchors_resolve(site, parsed):
    broken = []
    for path, page in parsed.items():
        assert len(set(page.ids)) == len(page.ids), f"{path}: an identifier stands twice"
        folder = (site / path).parent
        for link in page.links:
            if link.startswith(("https://", "data:")):
                continue
            file, _, fragment = link.partition("#")
            target = (folder / file).resolve() if file else site / path
            other = parsed.get(target.relative_to(site.resolve()).as_posix()) if file else page
            if not target.exists() or (fragment and fragment not in other.ids):
                broken.append(f"{path}: {link}")
    assert broken == []


def test_what_can_be_searched_for_is_there(site, parsed):
    for one in entries(site):
        file, _, fragment = one["url"].partition("#")
        assert file in parsed
        assert not fragment or fragment in parsed[file].ids


def test_nothing_comes_from_elsewhere(parsed):
    for path, page in parsed.items():
        for tag, attributes in page.elements:
            for key in ("src", "srcset", "action", "data", "poster"):
                assert not str(attributes.get(key, "")).startswith(("http", "//")), path
            if tag == "link":
                assert not attributes["href"].startswith(("http", "//")), path


def test_pages_are_made_for_readers_of_all_kinds(parsed):
    for path, page in parsed.items():
        tags = [tag for tag, _ in page.elements]
        assert tags.count("h1") == tags.count("main") == tags.count("title") == 1, path
        assert ("html", {"lang": "en"}) in page.elements
        for tag, attributes in page.elements:
            assert tag != "img" or attributes.get("alt"), path
            assert tag != "button" or attributes.get("aria-label"), path
            assert tag != "input" or attributes.get("aria-label") or attributes.get("id") == "search", path
            assert "style" not in attributes, f"{path}: what it looks like is the stylesheet's"
            assert not any(key.startswith("on") for key in attributes), path


def test_headings_go_down_one_by_one(parsed):
    for path, page in parsed.items():
        levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
        jumps = [two for one, two in itertools.pairwise(levels) if two > one + 2]
        assert jumps == [], path


def test_a_lesson_without_figures_says_what_makes_them(tmp_path, site):
    from benchmarks.pages.lesson_page import lesson_page

    text = lesson_page("neuron", {}, tmp_path).body
    assert "backprop lesson all --out" in text
    assert "<img" not in text
    assert "figures/neuron.png" in (site / "lessons/neuron.html").read_text()
    assert (site / "figures" / "neuron.png").exists()


# Where it is put. These sites have two pages.


@pytest.fixture
def two_pages(monkeypatch):
    if any(pages.importlib.util.find_spec(name) is None for name in pages.PACKAGES):
        pytest.skip("the pages extra is not installed")
    said = ["one"]

    def made(figures):
        return [Page(f"{name}.html", name, "", "course", Html(said[0])) for name in ("index", "other")]

    monkeypatch.setattr(pages, "_pages", made)
    return said


def write(out):
    return cli.main(["pages", "--out", str(out)])


def test_an_earlier_site_is_replaced_whole(tmp_path, two_pages, capsys):
    out = tmp_path / "deep" / "site"
    assert write(out) == 0
    (out / "other.html").unlink()
    two_pages[0] = "two"
    assert write(out) == 0
    assert b"two" in content(out)["other.html"]
    assert sorted(path.name for path in out.parent.iterdir()) == ["site"]
    assert str(out / "index.html") in capsys.readouterr().out


def test_an_empty_folder_will_do(tmp_path, two_pages, capsys):
    assert write(tmp_path / ".") == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda out: (out.mkdir(), (out / "notes.txt").write_text("mine")),
            "is not empty, and not an earlier site of ours",
        ),
        (lambda out: out.write_text("mine"), "is not a folder"),
        (lambda out: out.symlink_to(out.parent), "is not a folder"),
        (lambda out: (out.mkdir(), (out / pages.MARK).write_text("{")), "not an earlier site of ours"),
        (lambda out: (out.mkdir(), (out / "below").mkdir()), "not an earlier site of ours"),
        (lambda out: (out.mkdir(), (out / pages.MARK).write_text("[" * 100_000)), "not an earlier site of ours"),
        (lambda out: (out.mkdir(), (out / pages.MARK).write_text('{"a": 1}'), (out / "a").touch()), "a was edited"),
        (lambda out: (out.mkdir(), (out / pages.MARK).symlink_to("/dev/zero")), "not an earlier site of ours"),
        (lambda out: (out.mkdir(), os.mkfifo(out / pages.MARK)), "not an earlier site of ours"),
    ],
    ids=[
        "files",
        "a file",
        "a link",
        "a damaged mark",
        "a folder",
        "a deep mark",
        "a strange mark",
        "a device",
        "a pipe",
    ],
)
def test_what_is_no_site_of_ours_is_not_touched(make, words, tmp_path, two_pages, capsys):
    out = tmp_path / "site"
    make(out)
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert words in refused(capsys, 1, ["pages", "--out", out])
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_site_with_a_strangers_file_is_not_touched(tmp_path, two_pages, capsys):
    out = tmp_path / "site"
    write(out)
    capsys.readouterr()
    (out / "figures").mkdir(exist_ok=True)
    (out / "figures" / "mine.png").write_bytes(b"mine")
    before = content(out)
    assert "holds figures/mine.png, which is not part of the site" in refused(capsys, 1, ["pages", "--out", out])
    assert content(out) == before


def test_an_edited_page_is_not_replaced(tmp_path, two_pages, capsys):
    out = tmp_path / "site"
    write(out)
    capsys.readouterr()
    (out / "other.html").write_text("mine")
    before = content(out)
    assert "other.html was edited" in refused(capsys, 1, ["pages", "--out", out])
    assert content(out) == before


def test_what_comes_at_the_last_moment_is_not_taken_away(tmp_path, two_pages, capsys, monkeypatch):
    out = tmp_path / "site"
    write(out)
    capsys.readouterr()
    rename = pages.Path.rename

    def rename_late(path, to):
        if path == out:
            (out / "mine").write_text("mine")
        return rename(path, to)

    with monkeypatch.context() as context:
        context.setattr(pages.Path, "rename", rename_late)
        assert f"{out} holds mine" in refused(capsys, 1, ["pages", "--out", out])
    assert content(out)["mine"] == b"mine"
    assert os.listdir(tmp_path) == ["site"]


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to("none"), pages.Path.touch],
    ids=["a pipe", "a device", "a link to nowhere", "nothing in it"],
)
def test_a_figure_that_is_none_is_refused_by_its_name(make, tmp_path, two_pages, capsys):
    figures = tmp_path / "figures"
    figures.mkdir()
    make(figures / "neuron.png")
    assert "neuron.png is " in refused(capsys, 1, ["pages", "--out", tmp_path / "site", "--figures", figures])
    assert os.listdir(tmp_path) == ["figures"]


@pytest.mark.parametrize("where", ["_pages", "_swap", "rename"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_run_leaves_the_old_site_whole(where, error, tmp_path, two_pages, capsys, monkeypatch):
    out = tmp_path / "site"
    write(out)
    before = content(out)

    def fail(*args):
        raise error

    if where == "rename":
        rename = pages.Path.rename
        monkeypatch.setattr(
            pages.Path, "rename", lambda path, to: fail() if path.suffix == ".tmp" else rename(path, to)
        )
    else:
        monkeypatch.setattr(pages, where, fail)
    assert write(out) == (130 if error is KeyboardInterrupt else 1)
    capsys.readouterr()
    monkeypatch.undo()
    assert content(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_signal_leaves_the_old_site_whole(tmp_path, two_pages, capsys):
    out = tmp_path / "site"
    write(out)
    capsys.readouterr()
    before = content(out)
    run = subprocess.Popen([sys.executable, "-m", "benchmarks", "pages", "--out", str(out)], stderr=subprocess.PIPE)
    until = time.monotonic() + 120
    while len(os.listdir(tmp_path)) < 2:
        assert time.monotonic() < until
        time.sleep(0.01)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 143, said
    assert content(out) == before
    assert os.listdir(tmp_path) == ["site"]


def test_what_is_asked_for_has_to_make_sense(tmp_path, capsys):
    assert "--out" in refused(capsys, 2, ["pages"])
    out = ["pages", "--out", tmp_path / "site"]
    assert "is not a folder" in refused(capsys, 1, [*out, "--figures", tmp_path / "none"])
    (tmp_path / "file").write_text("")
    assert "is not a folder" in refused(capsys, 1, ["pages", "--out", tmp_path / "file" / "site"])
    assert os.listdir(tmp_path) == ["file"]


def test_without_the_extra_it_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pages, "PACKAGES", ("markdown_it", "no_such_package"))
    said = refused(capsys, 1, ["pages", "--out", tmp_path / "site"])
    assert "(no_such_package not found): pip install '.[pages]'" in said


def test_the_mark_names_every_file(site):
    assert set(json.loads((site / pages.MARK).read_text())) == set(content(site)) - {pages.MARK}
