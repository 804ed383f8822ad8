"""The site in Chromium: from the folder, offline; by pointer and keys, on a phone, without the script, on paper."""

import json
import re
import shlex

import numpy as np
import pytest

from benchmarks import cli
from benchmarks.pages.numbers import number
from parity_tests.tests.pages.browser import picture
from parity_tests.tests.pages.conftest import Reader

LAYER = "scratch/nn/batchnorm.html"

# What the steps of a page show: for each stepper its command, and for each step its row and its numbers by name.
SHOWN = """() => [...document.querySelectorAll(".stepper")].map((stepper) => ({
  name: stepper.dataset.name,
  command: stepper.querySelector(".source code").textContent,
  steps: [...stepper.querySelectorAll(".step")].map((step) => {
    const cells = (figure) => [...figure.querySelectorAll("td, p.number")].map((cell) => cell.textContent);
    const figures = (one) => [...one.querySelectorAll("figure[data-value]")];
    const tape = step.querySelector(".tape figure");
    return {
      row: step.dataset.row || null,
      values: Object.fromEntries(figures(step).map((one) => [one.dataset.value, cells(one)])),
      tape: tape ? cells(tape) : null,
      verdict: step.querySelector(".verdict") ? step.querySelector(".verdict").classList[1] : null,
    };
  }),
}))"""


# What a page says of itself once it is loaded.
LOADED = """() => ({
  title: document.title,
  headings: document.querySelectorAll("h1").length,
  outside: [...document.querySelectorAll(".top a")].filter((one) =>
    one.getBoundingClientRect().right > one.parentElement.getBoundingClientRect().right + 1).length,
  broken: [...document.images].filter((one) => one.complete && !one.naturalWidth).length,
  next: document.querySelector("a[rel=next]")?.href,
  previous: document.querySelector("a[rel=prev]")?.href,
})"""


# A reader's fonts may differ from ours. This is the spacing that text must bear by WCAG 2.2, success criterion 1.4.12.
WIDER = "* { letter-spacing: 0.12em !important; word-spacing: 0.16em !important; line-height: 1.5 !important; }"

PHONE = 375

# The boxes that scroll sideways by themselves and do not shade the edge behind which there is more.
UNMARKED = """() => [...document.querySelectorAll("article *")].filter((one) =>
  one.scrollWidth > one.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(one).overflowX)
  && !getComputedStyle(one).backgroundAttachment.includes("local")).map((one) => `${one.tagName}.${one.className}`)"""

# How wide a page becomes: as it is, and with the last step of each of its steppers open.
WIDEST = """() => Math.max(
  document.documentElement.scrollWidth,
  ...[...document.querySelectorAll("[data-go=last]")].map((button) => {
    button.click();
    return document.documentElement.scrollWidth;
  }),
)"""


@pytest.fixture(scope="module")
def window(chromium, site, paths):
    """Return a window as wide as a phone in which each page was opened, with what each said and showed, by path.

    ``widths`` says how wide each page became: in its own fonts, and in wider ones; ``unmarked`` which boxes scroll
    without a sign of it.
    """
    window = Reader(chromium, site, viewport={"width": PHONE, "height": 800})
    window.said, window.shown, window.widths, window.unmarked = {}, {}, {}, {}
    for path in paths:
        page = window.open(path)
        window.said[path], window.shown[path] = page.evaluate(LOADED), page.evaluate(SHOWN)
        window.unmarked[path] = page.evaluate(UNMARKED)
        own = page.evaluate(WIDEST)
        page.add_style_tag(content=WIDER)
        window.widths[path] = own, page.evaluate(WIDEST)
    window.context.close()
    return window


@pytest.fixture(scope="module")
def page_of_layer(chromium, site):
    """Return a page for tests that only point at it, and assert afterwards that nothing went wrong in it."""
    window = Reader(chromium, site)
    yield window.open(LAYER)
    window.context.close()
    assert window.faults == []


def labels(page, kind):
    """Return the labels of the rows that are highlighted in this way."""
    return set(page.evaluate(f"() => [...document.querySelectorAll('.row.{kind}')].map((row) => row.id.split('-')[1])"))


# Loading.


def test_every_page_loads_from_the_folder_and_asks_nobody(window, paths, site):
    for path in paths:
        said = window.said[path]
        assert said["title"]
        assert said["headings"] == 1
        assert said["broken"] == 0, path
        assert said["outside"] == 0, f"{path}: the menu is cut"
    assert window.faults == []
    assert {url for url in window.requests if not url.startswith((site.as_uri(), "data:"))} == set()


def test_formulas_are_mathml_that_the_browser_lays_out(page_of_layer):
    page = page_of_layer
    fraction = page.locator("#batch_norm-F6 mfrac").bounding_box()
    line = page.locator("#batch_norm-F7 .rhs").bounding_box()
    assert fraction["height"] > 1.2 * line["height"]


def test_equations_are_aligned_at_their_signs_and_stand_beside_their_statements(page_of_layer):
    page = page_of_layer
    signs = page.evaluate(
        "() => [...document.querySelectorAll('#batch_norm .rhs')].map((e) => e.getBoundingClientRect().x)"
    )
    assert max(signs) - min(signs) < 1
    for row in page.locator("#batch_norm .row[id]").all():
        equation, code = row.locator(".lhs").bounding_box(), row.locator(".code").bounding_box()
        assert equation["x"] < code["x"]
        assert row.bounding_box()["y"] <= code["y"] <= row.bounding_box()["y"] + row.bounding_box()["height"]


# Linking.


@pytest.mark.parametrize(
    ("label", "undone", "read"),
    [
        ("B5", {"F5"}, {"F5", "B6"}),
        ("B3", {"F3", "F6"}, {"F2", "F5", "B7b", "B4"}),
        ("F5", {"B5"}, {"F4"}),
        ("F7", {"B7a", "B7b"}, {"F6"}),
        ("B8", {"F8"}, set()),
    ],
)
@pytest.mark.parametrize("by", ["pointer on the statement", "pointer on the equation", "focus"])
def test_pointing_at_a_line_lights_what_belongs_to_it(page_of_layer, label, undone, read, by):
    page = page_of_layer
    row = page.locator(f"#batch_norm-{label}")
    if by == "focus":
        row.locator("a.label").focus()
    else:
        row.locator(".code" if "statement" in by else ".equation").hover()
    assert labels(page, "lit") == {label}
    assert labels(page, "undone") == undone
    assert labels(page, "read") == read
    page.mouse.move(2, 2)
    page.evaluate("() => document.activeElement.blur()")
    assert labels(page, "lit") == labels(page, "undone") == labels(page, "read") == set()


def test_light_moves_nothing(page_of_layer):
    page = page_of_layer
    height = page.evaluate("() => document.documentElement.scrollHeight")
    for row in page.locator("#batch_norm .row[id]").all():
        row.hover()
        assert page.evaluate("() => document.documentElement.scrollHeight") == height


def test_labels_in_a_remark_lead_to_their_rows(reader):
    page = reader.open(LAYER)
    page.locator("#batch_norm-B3 .remark a", has_text="F6").click()
    assert page.url.endswith("#batch_norm-F6")


# Stepping.


def test_the_steps_go_from_x_to_y_and_back_by_keys(reader):
    page = reader.open(LAYER)
    stepper = page.locator("#batch_norm-steps")
    step = stepper.locator(".step.at")
    assert not step.is_visible()
    page.keyboard.press("ArrowRight")
    assert "What goes in" in step.inner_text()
    seen = []
    while not stepper.locator("[data-go=next]").is_disabled():
        page.keyboard.press("ArrowRight")
        seen.append(step.get_attribute("data-row"))
        if seen[-1]:
            assert labels(page, "at") == {seen[-1].split("-")[1]}
            row, panel = page.locator(f"#{seen[-1]}").bounding_box(), stepper.bounding_box()
            assert row["y"] > 0
            assert row["y"] + row["height"] <= panel["y"] + 1, "the panel hides the row"
    forward = [f"batch_norm-F{k}" for k in range(1, 9)]
    backward = [f"batch_norm-B{k}" for k in ("8", "7a", "7b", "6", "5", "4", "3", "2", "1")]
    assert seen == [*forward, None, *backward, None]
    assert "What backward returns" in step.inner_text()
    assert stepper.locator(".count").inner_text() == "20 / 20"
    page.keyboard.press("ArrowLeft")
    assert step.get_attribute("data-row") == "batch_norm-B1"
    page.keyboard.press("Escape")
    assert not step.is_visible()


def test_the_steps_go_by_buttons_and_show_what_a_statement_reads(reader):
    page = reader.open(LAYER)
    stepper = page.locator("#batch_norm-steps")
    stepper.get_by_label("Last step").click()
    for _ in range(6):
        stepper.get_by_label("Back").click()
    step = stepper.locator(".step.at")
    assert step.get_attribute("data-row") == "batch_norm-B6"
    captions = step.locator(".reads figcaption").all_inner_texts()
    assert [re.sub(r"\s+", "", one) for one in captions] == ["∇normalized(4,2)", "centred(4,2)", "std(2,)"]
    assert step.locator(".verdict").inner_text() == "equal to the tape's"
    stepper.get_by_label("First step").click()
    assert stepper.get_by_label("Back", exact=True).is_disabled()
    stepper.get_by_label("Close").click()
    assert not step.is_visible()


def test_arrows_move_the_steps_that_are_at_hand(reader):
    page = reader.open(LAYER)
    page.locator("#batch_norm_inference-F1 a.label").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#batch_norm_inference-steps .step.at").is_visible()
    assert not page.locator("#batch_norm-steps .step.at").is_visible()


def test_a_step_has_an_address(reader):
    page = reader.open(f"{LAYER}#batch_norm@B5")
    cut = page.evaluate(LOADED)["outside"]
    assert cut == 0, "the menu is cut in a window of 1280 pixels"
    brackets = page.evaluate("() => getComputedStyle(document.querySelector('.step.at .matrix')).backgroundImage")
    assert brackets.count("gradient") == 4
    assert page.locator("#batch_norm-steps .step.at").get_attribute("data-row") == "batch_norm-B5"


def test_all_numbers_are_those_of_backprop_trace(window, paths, capsys):
    compared = 0
    for path in paths:
        if not path.startswith("scratch/"):
            continue
        for shown in window.shown[path]:
            assert cli.main([*shlex.split(shown["command"])[1:], "--json", "-"]) == 0
            pairs = [one for one in json.loads(capsys.readouterr().out)["pairs"] if one["name"] == shown["name"]]
            expected = [step for pair in pairs for step in steps_of(pair)]
            assert len(shown["steps"]) == len(expected), f"{path}, {shown['name']}"
            for step, wanted in zip(shown["steps"], expected, strict=True):
                assert step["row"] == wanted["row"]
                assert step["verdict"] == wanted["verdict"]
                assert step["values"].keys() == wanted["values"].keys()
                for name, cells in step["values"].items():
                    if "np.empty" not in wanted["statement"]:
                        compared += same(cells, wanted["values"][name])
                    else:
                        assert cells == []
                if wanted["tape"] is not None:
                    compared += same(step["tape"], wanted["tape"])
    assert compared > 3000


def steps_of(pair):
    """Return what the steps of a trace should show."""

    def step(values, statement="", row=None, tape=None, verdict=None):
        return {"values": values, "statement": statement, "row": row, "tape": tape, "verdict": verdict}

    def of(one):
        row = f"{pair['name']}-{one['label']}"
        return step(one["values"], one["statement"], row, one.get("tape"), one.get("verdict"))

    yield step(pair["arguments"])
    yield from map(of, pair["forward"])
    if pair["backward"]:
        yield step({"grad_y": pair["grad_y"], **pair["grad_others"]})
        yield from map(of, pair["backward"])
        yield step({f"grad_{name}": value for name, value in pair["gradients"].items()})


def same(cells, value):
    """Compare cells with a value of the trace's JSON; return how many numbers were compared."""
    if not isinstance(value, dict) or "numbers" not in value:
        if isinstance(value, (int, float)):
            assert cells == [number(value)]
        return 1
    flat = np.array(value["numbers"], dtype=object).ravel()
    expected = [number(float(one) if isinstance(one, str) else one) for one in flat] or ["empty"]
    if len(cells) == len(expected):  # large ones are cut
        assert cells == expected
    else:
        assert len(expected) > 72
        assert cells[:4] == expected[:4]
    return len(cells)


def test_a_picture_of_a_step(chromium, site, tmp_path):
    out = tmp_path / "picture.png"
    picture(chromium, f"{site / LAYER}@B5", out)
    assert out.stat().st_size > 40_000


# Searching.


def test_the_search_finds_titles_first_and_leads_there(reader):
    page = reader.open("index.html")
    page.get_by_label("Search all titles and names").last.fill("batchnorm2d")
    assert page.locator("#results a").first.inner_text().startswith("BatchNorm2d")
    page.keyboard.press("Enter")
    page.wait_for_url("**/batchnorm.html#BatchNorm2d")


def test_the_search_works_from_every_page(reader):
    page = reader.open("lessons/neuron.html")
    page.locator("header input[type=search]").fill("weights gradient")
    page.keyboard.press("Enter")
    page.wait_for_url("**/index.html?q=*")
    assert "mistake" in page.locator("#results").inner_text()
    page.locator("#search").fill("no such thing at all")
    assert page.locator("#results").inner_text() == "Nothing found."


def test_previous_and_next_lead_through_all_pages(window, paths, site):
    seen = ["index.html"]
    while following := window.said[seen[-1]]["next"]:
        seen.append(following.removeprefix(f"{site.as_uri()}/"))
        assert window.said[seen[-1]]["previous"] == f"{site.as_uri()}/{seen[-2]}"
    assert sorted(seen) == paths
    assert seen[1] == "lessons/neuron.html"
    assert seen[-1] == "museum.html"


# Narrow, dark, without the script, on paper.


def test_nothing_scrolls_sideways_on_a_phone(window, paths):
    assert {path: window.widths[path] for path in paths if max(window.widths[path]) > PHONE} == {}


def test_what_scrolls_by_itself_shows_where_there_is_more(window, paths):
    assert {path: window.unmarked[path] for path in paths if window.unmarked[path]} == {}


def test_equations_of_a_lesson_stand_below_each_other_on_a_phone(reading):
    page = reading(viewport={"width": PHONE, "height": 800}).open("lessons/neuron.html")
    lefts = page.evaluate(
        "() => [...document.querySelectorAll('.formulas .formula')].map((e) => e.getBoundingClientRect().x)"
    )
    assert max(lefts[:7]) - min(lefts[:7]) < 1


def test_text_has_contrast_in_light_and_in_dark(reading):
    for scheme in ("light", "dark"):
        page = reading(color_scheme=scheme).open(LAYER)
        for selector in ("p", ".remark", ".label", ".shape", ".code", ".contents a", ".source", ".verdict", ".ref"):
            ratio = page.evaluate(CONTRAST, selector)
            assert ratio >= 4.5, f"{selector} in {scheme}: {ratio:.1f}"


CONTRAST = """(selector) => {
  const one_pixel = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
  const canvas = one_pixel.getContext("2d", {willReadFrequently: true});
  const rgb = (colour) => {
    canvas.fillStyle = "#000"; canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colour) => {
    const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = rgb(colour).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const element = document.querySelector(selector);
  let behind = element;
  const clear = (one) => ["rgba(0, 0, 0, 0)", "transparent"].includes(getComputedStyle(one).backgroundColor);
  while (clear(behind)) behind = behind.parentElement;
  const [one, two] = [light(getComputedStyle(element).color), light(getComputedStyle(behind).backgroundColor)];
  return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
}"""


def test_without_the_script_every_step_is_there(reading):
    page = reading(java_script_enabled=False).open(LAYER)
    assert all(step.is_visible() for step in page.locator("#batch_norm-steps .step").all())
    assert not page.locator("#batch_norm-steps .controls").is_visible()


def test_on_paper_there_are_numbers_and_no_buttons(reader):
    page = reader.open(LAYER)
    page.emulate_media(media="print")
    assert all(step.is_visible() for step in page.locator("#batch_norm-steps .step").all())
    hidden = page.evaluate("() => [...document.querySelectorAll('.steps')].map((e) => e.scrollHeight - e.clientHeight)")
    assert max(hidden) <= 0
    assert not page.locator(".controls").first.is_visible()
    assert not page.locator("header.top").is_visible()


def test_tab_reaches_the_text_the_labels_and_the_buttons(reader):
    page = reader.open("scratch/nn/linear.html")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("() => document.activeElement.textContent || document.activeElement.ariaLabel"))
    assert {"F1", "F2", "B2", "B1a", "B1b"} <= seen
