"""What a learner gets to read: the file of an exercise, and the folder's README."""

import re
import textwrap

from benchmarks.exercises import catalogue, cutting
from benchmarks.exercises.exercise import Derived, Exercise, Explain, Find, FindMethod, Method
from parity_tests.harness.derivation import LABEL, Equation

WIDTH = 96
OPTION = re.compile(r"(?P<rest>.*\S) {4,}(?P<letter>[a-z])  (?P<option>[a-z_]+)$")
MEND = "Exactly one statement is wrong. Fix it."

COMMANDS = """\
    backprop exercises check {name}
    backprop exercises hint {name}
"""

README = """\
# Backprop, written by you

{count} exercises, one per file, each building on the ones before. Begin with `{first}`, or type

    backprop exercises watch

in this folder, open the file that it names, and save: it checks at every save, and moves on when a file is solved.

| | |
|---|---|
| `backprop exercises list` | all exercises, and which are solved |
| `backprop exercises check NAME` | what is right, and what is not; without a name, the next one |
| `backprop exercises hint NAME` | a hint, one step further each time |
| `backprop exercises solution NAME` | the library's version, once it is solved, or with `--give-up` |
| `backprop exercises reset NAME` | restore the file; yours is kept beside it |
| `backprop exercises milestone NAME` | a network that trains on what you wrote: {milestones} |

**Write it**: a file has the forward pass of a layer, and its equations F1, F2, ...; the backward is left blank. `...`
marks what you write, and the comment after it gives the shape: `(N, I)` is N rows of I numbers, `()` one number,
`(...)` any shape, that of the input. Where statements of backward are given, B2 undoes F2. Backward is given `grad_y`,
the gradient of the loss L with respect to the output y (the upstream gradient), and returns the gradients of L with
respect to the inputs: the vector-Jacobian products. `grad_z` is the name of the gradient of `z`, and has the shape of
`z`. `saved` is what forward saved for backward.

**Find the mistake**: one statement is wrong. Fix it. There is more than one right way to write it.

**Explain it**: a prediction. Write your answer after `answer =`; the check then computes the result.

An answer is right if all witnesses agree, for random upstream gradients, on unequal shapes, in float64 and float32:
PyTorch; finite differences; laws that need no reference (a gradient is linear in the upstream gradient, say); and the
tape, a small autograd. Checking a file runs it. `print` is fine: what it prints is shown below.

`scratch`, which some files import from, is the library that they are cut from. Import what you like from it; what you
write is your own.

The rules that you will need most:

- used twice becomes an addition: a value that reaches the loss along two paths gets the sum of two gradients;
- a broadcast becomes a sum, and a sum becomes a broadcast;
- a product: the gradient of a factor is the upstream gradient times the other factor;
- a gather becomes a scatter, a reshape a reshape back;
- a gradient has the shape of what it is the gradient of.

`progress.json` remembers what is solved. Solved stays solved, and no file of yours is ever overwritten.
{chapters}"""


def sheet(exercise: Exercise) -> str:
    """Return the content of an exercise's file."""
    exercises = catalogue.all_exercises()
    parts = [f"{exercise.name}: {exercise.title}."]
    number = exercises.index(exercise) + 1
    parts += [f"Exercise {number} of {len(exercises)}, {exercise.kind}: {exercise.layer}."]
    parts += [textwrap.fill(exercise.task, WIDTH)]
    if isinstance(exercise, Explain):
        return _document([*parts, *_choices(exercise)], exercise) + "\nanswer = ...\n"
    assert isinstance(exercise, Derived)
    if not isinstance(exercise, Method):
        equations = _equations(exercise)
        parts += [part for part in (_used_of(legend(exercise), equations, exercise), equations) if part]
    elif exercise.source.__doc__ and (lines := _equations_of_class(exercise)):
        parts += [lines]
    if isinstance(exercise, FindMethod):
        parts += [MEND]
    return _document(parts, exercise) + "\n" + cutting.source_of(exercise)


def _document(parts: list[str], exercise: Exercise) -> str:
    text = "\n\n".join([*parts, COMMANDS.format(name=exercise.name).rstrip()])
    return f'r"""{text}\n"""\n'


def _choices(exercise: Explain) -> list[str]:
    lines = [f'    "{letter}"  {choice}' for letter, choice in zip("abcdef", exercise.choices, strict=False)]
    return ["\n".join(lines)] if lines else []


def legend(exercise: Derived) -> str:
    """Return the letters that the derivation's equations use."""
    names = {
        node.name
        for node in cutting.ast.parse(cutting.inspect.getsource(exercise.source)).body
        if hasattr(node, "name")
    }
    lines = (exercise.source.__doc__ or "").splitlines()[1:]
    kept = []
    for line in lines:
        if LABEL.match(line) or line.partition(",")[0].split(" ")[0] in names:
            break
        kept.append(line)
    text = "\n".join(kept).strip("\n")
    # Keep the indented blocks, which define the letters: other paragraphs may be the lesson and give the answer away.
    blocks = [block for block in text.split("\n\n") if block.startswith("    ")]
    return "\n\n".join(blocks)


def _used_of(letters: str, equations: str, exercise: Derived) -> str:
    """Return a legend without the options of a file's other functions, such as ELU's "a  alpha"."""
    kept = []
    for line in letters.splitlines():
        match = OPTION.match(line)
        if match and not re.search(rf"\b{match['letter']}\b", equations) and match["option"] not in _source(exercise):
            line = match["rest"].rstrip()
        kept.append(line)
    return "\n".join(kept)


def _source(exercise: Derived) -> str:
    return "\n".join(cutting.ast.unparse(one) for one in cutting.functions(exercise))


def written(equation: Equation) -> str:
    """Return an equation with its label, as it stands in the docstring."""
    return f"    {equation.label:<3} {equation.text}"


def _equations(exercise: Derived) -> str:
    found = [one for one in cutting.derivation(exercise).equations if one.label[0] in "FU"]
    lines = "\n".join(written(one) for one in found)
    if isinstance(exercise, Find):
        return f"{lines}\n\n{MEND}"
    return f"{lines}\n\nFill in the statements `= ...`."


def _equations_of_class(exercise: Method) -> str:
    lines = (exercise.source.__doc__ or "").splitlines()
    found = [line for line in lines if (match := LABEL.match(line)) and match["label"].startswith("F")]
    return "\n".join(found)


def readme() -> str:
    """Return the folder's README."""
    exercises, chapters = catalogue.all_exercises(), []
    for chapter in catalogue.CHAPTERS:
        lines = [f"\n## {chapter.title}\n"]
        for exercise in chapter.exercises:
            name = catalogue.file_name(exercise)
            lines.append(f"- [`{name}`]({name}), {exercise.kind}: {exercise.layer}, {exercise.title}")
        if chapter.milestone:
            lines.append(f"\nThen: `backprop exercises milestone {chapter.milestone}`.")
        chapters.append("\n".join(lines))
    return README.format(
        count=len(exercises),
        first=catalogue.file_name(exercises[0]),
        milestones=", ".join(f"`{name}`" for name in catalogue.NEEDED),
        chapters="\n".join(chapters) + "\n",
    )


def solution(exercise: Exercise) -> str:
    """Return the solution of an exercise: the library's code, or the computed answer."""
    if isinstance(exercise, Explain):
        answer, lines = exercise.compute()
        return "\n".join([f"answer = {answer!r}", "", *lines])
    assert isinstance(exercise, Derived)
    text = cutting.solution_of(exercise)
    if isinstance(exercise, FindMethod):
        return f"{_of_the_museum(exercise.exhibit)}\n\n{text}"
    if isinstance(exercise, Method):
        return text
    back = [one for one in cutting.derivation(exercise).equations if one.label[0] == "B"]
    derived = "\n".join(written(one) for one in back)
    found = f"{derived}\n\n\n{text}" if derived else text
    if isinstance(exercise, Find):
        return f"{_of_the_museum(exercise.exhibit, exercise.label)}\n\n{found}"
    return found


def _of_the_museum(name: str, label: str = "") -> str:
    from parity_tests.museum import EXHIBITS

    exhibit = next(one for one in EXHIBITS if one.wrong.__name__ == name)
    where = f", {label}" if label else ""
    return textwrap.fill(f'The museum\'s "{exhibit.name}"{where}: {exhibit.forgotten} {exhibit.seen}', 79)
