"""Plain-text mathematics: what it means, read back from the MathML; and docstrings, cut into their parts."""

import doctest
import re

import pytest

from benchmarks.pages import docstring, formulas, html, numbers, prose
from benchmarks.pages.docstring import Displayed, Legend, Part, Prose
from benchmarks.pages.mathematics import equation, typeset
from parity_tests.harness.derivation import derivations, files

NAMES = {"x", "x1", "mean", "std", "centred", "normalized", "weight", "label", "losses", "n", "windows", "scaled"}


def test_a_product_binds_more_tightly_than_a_quotient():
    found = typeset("-sum_m grad_normalized centred / std^2", NAMES)
    fraction = found[found.index("<mfrac>") :]
    assert found.count("<mfrac>") == 1
    assert fraction.index("∑") < fraction.index("∇") < fraction.index("centred") < fraction.index("<msup>")


def test_brackets_are_left_out_where_a_line_stands_for_them():
    assert "(" not in typeset("(x - mean) / std", NAMES)
    assert "(" not in typeset("grad_std / (2 std)", NAMES)
    assert typeset("grad_losses (x - mean)", NAMES).count("(") == 1


def test_a_gradient_is_a_nabla_with_its_quantity_below():
    assert '<msub><mo form="prefix" rspace="0">∇</mo><mi>x</mi></msub>' in typeset("grad_x", NAMES)


def test_an_index_is_what_is_no_part_of_a_name():
    found = typeset("x1_nc,(sp+i),(sq+j)", NAMES)
    assert re.sub(r"<[^>]*>", "", found) == "x1nc,sp+i,sq+j"
    assert found.startswith('<math displaystyle="true"><mrow><mrow><msub><mi>x1</mi>') or "<mi>x1</mi>" in found
    assert "<msub>" in typeset("grad_x1_nc,(sp+di)", NAMES)
    assert "<msub>" not in typeset("pos_weight", NAMES | {"pos_weight"})
    assert "<msub>" not in typeset("scaled_backward(n)", NAMES)


def test_a_space_before_a_bracket_makes_a_product_of_a_call():
    assert "\u2062" not in typeset("exp(x)", NAMES)
    assert "\u2062" in typeset("n (x - mean)", NAMES)


def test_roots_bars_and_powers():
    assert "<msqrt>" in typeset("sqrt(x + mean)", NAMES)
    assert typeset("log(1 + exp(-|x|))", NAMES).count("|") == 2
    assert "<mo>\N{DOWN TACK}</mo>" in typeset("x weight^T", NAMES)
    assert "<mn>10</mn>" in typeset("max(x, 1e-12)", NAMES)
    assert "∞" in typeset("-inf", NAMES)
    assert "<mi>β</mi><mn>1</mn>" in typeset("beta1^n", NAMES)


@pytest.mark.parametrize("line", ["B3  grad_x = n   F3", "B3a grad_x, mean = n   F3", "B3b grad_x = n   F3"])
def test_a_displayed_equation_stands_behind_its_label(line):
    shown = prose.displayed(Displayed((line,)), prose.Context(names=NAMES))
    label, formula, aside = re.findall(r'class="(name|formula|aside)"', shown)
    assert (label, formula, aside) == ("name", "formula", "aside")
    assert f'class="name">{line.split()[0]}<' in shown


def test_words_between_formulas_stay_words():
    found = typeset("x where scaled, else mean n", NAMES)
    assert " where" in found
    assert "<mi>x</mi>" in found
    assert "else" in found
    assert "<mi>else</mi>" not in found
    assert " swap, else" in typeset("mean for ``swap``, else n", NAMES)
    assert "a window&#x27;s" in typeset("how many of a window's values", NAMES | {"a"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mean where a weight sees no label", "where a weight sees no label"),
        ("the mean of x at n", "the mean of"),
        ("sum of grad_x where centred", "sum of"),
        ("n where the windows begin", "where the windows begin"),
        ("x in the shape of label", "in the shape of"),
        ("an x before losses", "an"),
    ],
)
def test_names_that_are_plain_words_after_an_article_are_prose(text, words):
    outside = re.sub(r"<math.*?</math>", " ", typeset(text, NAMES | {"begin"}))
    assert words in re.sub(r"\s+", " ", outside)
    assert "<mi>a</mi>" not in typeset(text, NAMES)


def test_what_stands_beside_an_operator_is_a_quantity():
    assert "<mi>a</mi>" in typeset("x padded with a zeros", {"a"})
    assert "<mi>up</mi>" in typeset("x / (up + down)", NAMES)
    assert "<mi>kh</mi>" in typeset("n kh kw", NAMES)
    assert "\N{MULTIPLICATION SIGN}" in typeset("blocks of r x r pixels", NAMES)


def test_a_matrix_has_its_rows_between_brackets():
    found = typeset("x = (2/n) [[1, x], [x^2, n]]", NAMES)
    assert found.count("<mtr>") == 2
    assert found.count("<mtd>") == 4
    assert "π</mi>" in typeset("log pi(x | n)", NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The running means of g and of g^2, and more.", ["g^2"]),
        ("the gradient of lambda/2 |w|^2; here it is less", ["lambda/2 |w|^2"]),
        ("Write the derivative of 1 / (1 + exp(-x)), then stop.", ["1 / (1 + exp(-x))"]),
        ("tanh' = 1 - tanh^2, and tanh is saved", ["tanh' = 1 - tanh^2"]),
        ("falls as gamma^epoch, not as (1 - epoch / total)^power", ["gamma^epoch", "(1 - epoch / total)^power"]),
        ("dL/dw is 8 where x > 0, and on the line t = 2x + 1", ["dL/dw", "x > 0", "t = 2x + 1"]),
        ("whatever |g| is, (..., C r^2, H / r)", ["|g|", "(..., C r^2, H / r)"]),
        ("np.exp(10) @ x, y = x @ weight.T, kernel_size=3, x.exp() = 2 f.", []),
        ("a (1999, p = 2); a policy and a value, one of a few - or so; at x = 0 SELU", ["p = 2", "x = 0"]),
        ("Nothing of the kind: at most 1/4, cross-entropy, 10,000 and a window's mean.", []),
    ],
)
def test_formulas_in_a_sentence_are_found_by_their_signs(text, expected):
    found = list(formulas.within(text, NAMES))
    assert [text[begin:end] for begin, end, _ in found] == expected
    assert not any("<mfrac>" in formula for _, _, formula in found)


@pytest.mark.parametrize("text", ["x (", "x +", "|x", "x ] y", "x $ y", "x / / y"])
def test_what_cannot_be_read_stays_as_it_is(text):
    assert typeset(text, NAMES) == f'<code class="text">{text}</code>'


def test_text_is_escaped():
    assert "<b>" not in typeset("x < <b> y", NAMES)
    assert typeset("x &lt; y", NAMES) == '<code class="text">x &amp;lt; y</code>'


def test_sides_of_an_equation():
    left, right = equation("grad_x[n] += grad_y", NAMES)
    assert "∇" in left
    assert "+=" in right
    assert equation("mean of x", NAMES)[0] == ""


def test_a_docstring_is_cut_into_its_parts():
    text = """Name: what it is for.

    N  batch     x  (N,)  input

A paragraph.

first, in training
    F1  y = x            (N,)

    B1  grad_x = grad_y  (N,)

    grad_x = 2

second
    F1  y = x            (N,)
    B1  grad_x = grad_y  (N,)

    A remark that is indented, and that is a sentence of its own all the same.
"""
    found = list(docstring.blocks(text, ["first", "second"]))
    assert docstring.title_of(text) == ("Name", "what it is for.")
    assert [type(one) for one in found] == [Legend, Prose, Part, Displayed, Part, Prose]
    assert found[2] == Part("first", "in training")
    assert docstring.definitions(found[0].lines)[1].shape == "(N,)"


def test_a_legend_without_columns_has_no_definitions():
    assert docstring.definitions(["    several words    and more    and more of them    again    and again"]) is None


@pytest.mark.parametrize("name", [name for name in files() if derivations(name)])
def test_every_derivation_has_its_place_in_its_docstring(name):
    names = [one.name for one in derivations(name)]
    module = derivations(name)[0].module
    parts = [one.name for one in docstring.blocks(module.__doc__, names) if isinstance(one, Part)]
    with_equations = [one.name for one in derivations(name) if one.equations]
    assert parts == with_equations
    legends = [block.lines for block in docstring.blocks(module.__doc__, names) if isinstance(block, Legend)]
    assert all(docstring.definitions(lines) or all(" = " in line for line in lines) for lines in legends)


@pytest.mark.parametrize("module", [docstring, html, numbers], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings_are_right(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed
