"""Which line of backward is wrong: each array that it computes is compared with the true gradients in forward.

The learner's own forward runs on the tape (`scratch.tape`), which knows the gradient of every value and what each of
its uses contributes. Backward runs line by line, twice, with two upstream gradients: what changes with the upstream
gradient is meant as a gradient. The first such line that computes neither a gradient nor a part of one is where it goes
wrong.
"""

import contextlib
import inspect
import itertools
import sys
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from parity_tests.diagnosis import made_of, operations, statements
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.decorators import undecorated
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError, is_theirs
from parity_tests.harness.report import Report
from scratch.tape import Gradients, Node, NotFollowedError, Tape, Value

MOST_EVENTS = 4000


@dataclass(eq=False)
class Known:
    """A true gradient, or a part of one, in words."""

    values: np.ndarray
    words: str
    node: Node
    whole: bool


@dataclass(eq=False)
class Computed:
    """An array that a line of backward computed."""

    line: int
    name: str
    values: np.ndarray
    function: types.CodeType
    scope: dict = field(default_factory=dict)
    follows: bool = True
    bare: bool = False
    words: str = ""
    whole: bool = False


@dataclass
class Located:
    """Backward's source with a remark beside each line, and the first wrong line."""

    line: int = 0
    wrong: str = ""
    right: str = ""
    remarks: dict[int, str] = field(default_factory=dict)
    text: str = ""


def located(learner: Learner, report: Report, theirs: object, inputs: tuple[np.ndarray, ...]) -> str:
    """Return the annotated source of backward, or why there is none."""
    if not any("grad_" in q.name for q in report.wrong) or (
        learner.found.backward is None and learner.plan.pulled is None
    ):
        return ""
    try:
        return locate(learner, inputs).text
    except Exception as error:  # a failure here must not lose the report above
        return f"Cannot tell which line is wrong: {type(error).__name__}: {error}"


def locate(learner: Learner, inputs: tuple[np.ndarray, ...]) -> Located:
    """Return the first wrong line of backward, and its annotated source."""
    try:
        following = Following(learner, inputs)
    except NotFollowedError as error:
        return Located(text=f"Cannot tell which line is wrong: the tape does not follow forward ({error}).")
    except (LearnerRaisedError, TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
        return Located(text=f"Cannot tell which line is wrong: forward does not run on the tape ({error}).")
    try:
        computed = following.backward()
    except LearnerRaisedError as error:
        return Located(text=f"Cannot tell which line is wrong: {error}")
    return following.verdict(computed)


class Following:
    """Forward on the tape, and backward line by line."""

    def __init__(self, learner: Learner, inputs: tuple[np.ndarray, ...]) -> None:
        self.learner, self.inputs = learner, inputs
        self.names: dict[Node, str] = {}
        learner.forward(*inputs)
        outputs = learner.outputs
        rng = np.random.default_rng(3)
        self.upstream = tuple(
            np.asarray(rng.uniform(0.5, 2, np.shape(y)) * rng.choice([-1, 1], np.shape(y))) for y in outputs
        )
        plan = learner.plan
        self.own_upstream = tuple(np.asarray(plan.undressed(g)) for g in self.upstream)  # in the learner's layout
        self.scalar = float(self.upstream[0]) if len(outputs) == 1 and np.ndim(outputs[0]) == 0 else None
        self._forward_on_the_tape()
        self.known = list(self._true_gradients())

    def _functions(self) -> Iterator[types.FunctionType]:
        found, plan = self.learner.found, self.learner.plan
        for function in map(undecorated, (found.forward, plan.pulled or found.backward)):
            inner = getattr(function, "__func__", function)
            inner = inner if isinstance(inner, types.FunctionType) else type(inner).__call__
            yield inspect.unwrap(inner)

    # Forward.

    def _forward_on_the_tape(self) -> None:
        learner, plan = self.learner, self.learner.plan
        self.tape = Tape()
        learner.world.restore()
        learner.write()
        front = learner.input_names(len(self.inputs))
        passed = []
        for i, values in enumerate(self.inputs):
            dressed = plan.dressed(values, i)
            if dressed.dtype.kind == "f" and i != plan.options.target:
                dressed = self.tape.watch(dressed)
                self.names[dressed.node] = front[i]
            passed.append(dressed)
        for one in learner.reading.learned:
            value = self.tape.watch(np.array(learner.world.get(one.place), np.float64))
            self.names[value.node] = _without_data(one.place.name)
            learner.world.put(one.place, value)
        held = plan.inputs
        try:
            plan.inputs = passed
            arguments = plan.arguments(passed)
            context = (plan.context,) if learner.found.has_context(learner.found.forward) else ()
            with learner.stage("forward", reseed=True), _tracing(self._watch_forward):
                returned = learner.found.forward(*context, *arguments[0], **arguments[1])
        except LearnerRaisedError as error:
            if isinstance(error.__cause__, NotFollowedError):
                raise error.__cause__ from None
            raise
        finally:
            plan.inputs = held
            self._name_attributes()
            learner.world.restore()
        self.outputs = self._values_of(returned)

    def _values_of(self, returned: object) -> list[Value]:
        parts = self.learner.plan.chosen(returned)
        count = len(self.learner.outputs)
        if returned is None:
            name = self.learner.plan.output_name
            node = next((n for n, named in self.names.items() if named == name), None)
            parts = (Value(node),) if node is not None else ()
        found = [one for one in parts if isinstance(one, Value)][:count]
        if len(found) < count:
            raise NotFollowedError("forward's output does not come from the tape")
        return found

    def _watch_forward(self, frame: types.FrameType, event: str, _: object) -> None:
        for name, value in frame.f_locals.items() if is_theirs(frame.f_code.co_filename) else ():
            if isinstance(value, Value) and _node(value) is not None and value.node not in self.names:
                own = frame.f_code.co_name == self.learner.found.forward_name or "forward" in frame.f_code.co_name
                said = name if own else f"{name} in {frame.f_code.co_name}"
                self.names[value.node] = f"the later {said}" if said in self.names.values() else said

    def _name_attributes(self) -> None:
        owner = self.learner.found.owner
        for name, value in getattr(owner, "__dict__", {}).items():
            if isinstance(value, Value) and (value.node not in self.names or " in " in self.names[value.node]):
                self.names[value.node] = f"self.{name}" if name in self.names.values() else name

    def _true_gradients(self) -> Iterator[Known]:
        grads = self.tape.gradients(self.outputs, list(self.own_upstream))
        self.grads = grads
        for output, grad in zip(self.outputs, self.own_upstream, strict=True):
            yield Known(grad, f"the gradient of {self.word(output.node)}", output.node, True)
        nodes = sorted(self.tape.nodes, key=lambda node: node not in self.names)
        for node in nodes:
            if grads.contributions(node):
                yield Known(grads[node], f"the gradient of {self.word(node)}", node, True)
        for node in nodes:
            yield from self._parts(grads, node)

    def _parts(self, grads: Gradients, node: Node) -> Iterator[Known]:
        contributions = [one for one in grads.contributions(node) if one.user is not None]
        for one in contributions:
            through = self.word(one.user)
            if len(contributions) > 1:
                yield Known(
                    one.grad, f"part of the gradient of {self.word(node)}: the path through {through}", node, False
                )
            raw = self._before_summing(grads, one, node)
            if raw is not None:
                said = f"the gradient of {self.word(node)}, not yet summed over the broadcast axes"
                yield Known(raw, said, node, False)
        for count in range(2, len(contributions)) if len(contributions) <= 5 else ():
            for some in itertools.combinations(contributions, count):
                paths = " and ".join(self.word(one.user) for one in some)
                total = sum(one.grad for one in some)
                yield Known(total, f"part of the gradient of {self.word(node)}: the paths through {paths}", node, False)

    def _before_summing(self, grads: Gradients, one: object, node: Node) -> np.ndarray | None:
        with contextlib.suppress(Exception):
            user = one.user
            raw = user.rules[one.place](grads[user], user.data, *user.arguments, **user.options)
            if isinstance(raw, np.ndarray) and raw.shape != node.data.shape:
                return raw
        return None

    def word(self, node: Node, depth: int = 0) -> str:
        """Return a value's name, or the expression that computed it."""
        if node in self.names:
            return self.names[node]
        return operations.expression(node, lambda other: self.word(other, depth + 1) if depth < 3 else "...")

    # Backward.

    def backward(self) -> list[Computed]:
        """Return what the lines of backward computed, each compared with the known gradients."""
        runs = [
            self._run(self.upstream),
            self._run(tuple(g * np.linspace(0.5, 1.7, max(1, g.size)).reshape(g.shape) for g in self.upstream)),
        ]
        self.computed_first = runs[0]
        for one, other in itertools.zip_longest(*runs):
            if one is None or other is None or one.name != other.name:
                break
            one.follows = one.values.shape != other.values.shape or not np.allclose(
                one.values, other.values, rtol=1e-9, atol=0
            )
        own = list(self._functions())[1].__code__
        for one in runs[0] if self.scalar is not None else ():
            # A loss's backward may multiply by the upstream number at its end, or in its caller.
            one.bare = not one.follows
            one.follows = one.follows or (self._meant(one) is not None and one.name not in self.names.values())
        for one in runs[0]:
            # What backward returns or stores is meant as a gradient even if it does not change with the upstream
            # gradient.
            ends = one.name.startswith("return") and (
                one.function is own or one.function.co_name == self.learner.found.backward_name
            )
            if self.learner.plan.convention != "upstream":
                one.follows = ends or self._claims(one)
            else:
                one.follows = one.follows or ends or self._claims(one)
        for one in runs[0]:
            if one.follows:
                self._recognize(one)
            if one.bare and not one.words and (node := self._meant(one)) is not None and not self._end(one):
                one.words = made_of.multiple(self._applied(one), self.grads, node, self.word(node))
        return runs[0]

    def _applied(self, one: Computed) -> np.ndarray:
        # Multiplies by the upstream number where backward leaves that to its end or to its caller.
        return one.values * self.scalar if one.bare and self.scalar is not None else one.values

    def _run(self, upstream: tuple[np.ndarray, ...]) -> list[Computed]:
        learner = self.learner
        learner.forward(*self.inputs)
        self.computed: list[Computed] = []
        self.last: dict[int, tuple[int, dict]] = {}
        with _tracing(self._watch_backward):
            learner.plan.backward(upstream)
        return self.computed

    def _arrays(self, frame: types.FrameType) -> dict[str, np.ndarray]:
        found = {n: v for n, v in frame.f_locals.items() if isinstance(v, np.ndarray | np.floating)}
        for name, value in frame.f_locals.items():
            if isinstance(value, dict):
                found |= _items(name, value)
        owner = frame.f_locals.get("self")
        if owner is not None:
            for name, value in getattr(owner, "__dict__", {}).items():
                if isinstance(value, np.ndarray | np.floating):
                    found[f"self.{name}"] = value
                elif isinstance(value, dict | list):
                    found |= _items(f"self.{name}", value)
                else:
                    for attribute in ("grad", "gradient"):
                        if isinstance(getattr(value, attribute, None), np.ndarray):
                            found[f"self.{name}.{attribute}"] = getattr(value, attribute)
        return found

    def _watch_backward(self, frame: types.FrameType, event: str, argument: object) -> None:
        if not is_theirs(frame.f_code.co_filename) or len(self.computed) > MOST_EVENTS:
            return
        if self.learner.optimizers.have(frame.f_locals.get("self")):
            return  # what an optimizer computes is no gradient
        key = id(frame)
        arrays = self._arrays(frame)
        if event == "call":
            self.last[key] = (frame.f_lineno, {n: np.array(v) for n, v in arrays.items()})
            return
        line, before = self.last.get(key, (frame.f_lineno, {}))
        for name, values in arrays.items():
            old = before.get(name)
            values = np.asarray(values)
            changed = old is None or old.shape != values.shape or not np.array_equal(old, values, equal_nan=True)
            if changed and values.dtype.kind == "f":
                self.computed.append(Computed(line, name, np.array(values), frame.f_code, self._scope(frame)))
        if event == "return":
            parts = argument if isinstance(argument, tuple | list) else (argument,)
            for number, part in enumerate(parts):
                if isinstance(part, np.ndarray | np.floating) and np.asarray(part).dtype.kind == "f":
                    self.computed.append(
                        Computed(frame.f_lineno, f"return {number}", np.array(part), frame.f_code, self._scope(frame))
                    )
        self.last[key] = (frame.f_lineno, {n: np.array(v) for n, v in arrays.items()})

    def _scope(self, frame: types.FrameType) -> dict:
        held = {n: np.array(v) if isinstance(v, np.ndarray) else v for n, v in frame.f_locals.items()}
        return {**frame.f_globals, **held}

    def _recognize(self, one: Computed) -> None:
        for learned in self.learner.reading.learned:
            own = self.learner.world.words(learned.place)
            if own == one.name and learned.gradient is not None and learned.gradient.step:
                node = next(n for n, name in self.names.items() if name == _without_data(learned.place.name))
                step = (node.data - one.values) / learned.gradient.rate
                one.whole = same(step, self.grads[node])
                one.words = f"a step along the gradient of {self.word(node)}" if one.whole else ""
                return
        wanted = self._meant(one)
        matches = [known for known in self.known if self._same(one.values, known.values)]
        if not matches:
            return
        best = next((k for k in matches if wanted is not None and k.node is wanted), matches[0])
        one.words, one.whole = best.words, best.whole

    def _is_value(self, one: Computed) -> bool:
        return any(same(one.values, node.data) for node in self.tape.nodes)

    def _same(self, values: np.ndarray, true: np.ndarray) -> bool:
        return same(values, true) or (self.scalar is not None and same(values * self.scalar, true))

    def _meant(self, one: Computed) -> Node | None:
        """Return the value whose gradient a name claims to be: of h for dh, self.grad_h, grads["dh"], self.h.grad."""
        name = one.name.removeprefix("self.")
        base, _, key = name.partition("[")
        key = key.rstrip("]").strip("'\"")
        wanted: set[str] = set()
        if name.endswith((".grad", ".gradient")):
            wanted.add(name.rpartition(".")[0])
        elif key.isdigit():
            wanted |= {f"{owner}.{key}" for owner in words.undressed(base)}
        elif key:
            wanted |= words.undressed(key) | ({key} if "grad" in base else set())
        else:
            wanted |= words.undressed(base)
        for owner in wanted:
            for node, named in self.names.items():
                last = named if key.isdigit() else named.rpartition(".")[2]
                if last == owner or words.alike(last, owner):
                    return node
        return None

    # The verdict.

    def verdict(self, computed: list[Computed]) -> Located:
        """Return the annotated source, with the first line that computes the gradient of nothing."""
        function = list(self._functions())[1]
        suspicious = [one for one in computed if one.follows and not one.words and not self._is_given(one)]
        suspicious = [one for one in suspicious if np.any(one.values) or self._last_of(one) is one]  # not filled yet
        found = Located()
        first = self._first(suspicious, computed)
        lines: dict[types.CodeType, dict[int, list[str]]] = {}
        for one in computed:
            if one.follows and one.words:
                lines.setdefault(one.function, {}).setdefault(one.line, []).append(one.words)
            elif one.follows and one in suspicious:
                lines.setdefault(one.function, {}).setdefault(one.line, []).append(
                    "<- not the gradient of anything in forward"
                )
        code = function.__code__ if first is None else first.function
        if first is not None:
            found.line, found.wrong = first.line, first.name
            found.right = self._right(first)
        found.remarks = {n: "; ".join(dict.fromkeys(said)) for n, said in lines.get(code, {}).items()}
        found.text = self._text(code, found, first)
        return found

    def _is_given(self, one: Computed) -> bool:
        return any(same(one.values, grad) for grad in self.own_upstream)

    def _first(self, suspicious: list[Computed], computed: list[Computed]) -> Computed | None:
        # An intermediate line may be right without being the gradient of a single value: what it flows into decides. So
        # we go back from what is wrong at the end, along the names that each line uses.
        wrong_ends = [one for one in suspicious if one.name.startswith("return") or self._claims(one)]
        candidates = []
        for end in wrong_ends:
            candidates.append(self._origin(end, suspicious, computed, set()))
        for one in computed:
            # A true gradient, but of another value than the one it is returned or stored for.
            node = self._end(one)
            recognized = one.follows and one.words and not one.words.startswith("a step")
            if recognized and node is not None and not self._is_true(one, node):
                candidates.append(self._origin(one, suspicious, computed, set()))
        order = {id(one): number for number, one in enumerate(computed)}
        candidates = [one for one in candidates if one is not None]
        if not candidates and suspicious:
            return self._origin(suspicious[0], suspicious, computed, set())
        return min(candidates, key=lambda one: order[id(one)]) if candidates else None

    def _end(self, one: Computed) -> Node | None:
        """Return the value whose gradient an array is meant to be at the end of backward."""
        if one.name.startswith("return"):
            if one.function is not list(self._functions())[1].__code__:
                return None
            leaves = list(self.learner.plan.leaf_names)
            sources = self.learner.reading.inputs
            front = self.learner.input_names(len(self.inputs))
            number = int(one.name.split()[1])
            for i, source in sources.items():
                if source.leaf is not None and number < len(leaves) and leaves[number] == source.leaf:
                    return next((n for n, name in self.names.items() if name == front[i]), None)
            return None
        last = self._last_of(one)
        return self._meant(one) if self._claims(one) and last is one else None

    def _last_of(self, one: Computed) -> Computed:
        return [other for other in self.computed_first if other.name == one.name][-1]

    def _is_true(self, one: Computed, node: Node) -> bool:
        true, values = self.grads[node], one.values
        if values.shape != true.shape and [n for n in values.shape if n != 1] != [n for n in true.shape if n != 1]:
            return False
        return self._same(values, true) or (not np.any(true) and not np.any(values))

    def _claims(self, one: Computed) -> bool:
        return (one.name.startswith("self.") or "[" in one.name) and self._meant(one) is not None

    def _origin(self, end: Computed, suspicious: list[Computed], computed: list[Computed], seen: set[int]) -> Computed:
        seen.add(id(end))
        place = next(i for i, one in enumerate(computed) if one is end)
        twin = next((one for one in computed[:place] if one in suspicious and _identical(one, end)), None)
        if twin is not None and id(twin) not in seen:
            return self._origin(twin, suspicious, computed, seen)
        used = statements.names(end.function, end.line, _number(end), end.name)
        earlier = [one for one in computed[:place] if one.function is end.function and _base(one) in used]
        latest = {one.name: one for one in earlier}
        for one in latest.values():
            if id(one) in seen or one.line == end.line:
                continue
            handed_over = one.values.shape == end.values.shape and np.array_equal(one.values, end.values)
            meant = self._meant(one)
            right = meant is not None and (self._is_true(one, meant) or one.words.startswith("part of"))
            if handed_over and end.name.startswith("return") and one.follows and not right:
                return self._origin(one, suspicious, computed, seen)
            if one in suspicious and not self._flows_into_right(one, computed):
                return self._origin(one, suspicious, computed, seen)
            if one not in suspicious and not (handed_over and right) and self._would_mend(one, end):
                return one
            if one.bare and not one.words and not self._is_value(one) and self._some_would_mend(one, end):
                return self._origin(one, suspicious, computed, seen)
        return end

    def _would_mend(self, one: Computed, end: Computed) -> bool:
        """Return whether ``end`` comes out right if ``one`` is replaced by the gradient that its name claims to be."""
        node = self._meant(one)
        return node is not None and not self._is_true(one, node) and self._mends(one, end, self.grads[node])

    def _some_would_mend(self, one: Computed, end: Computed) -> bool:
        """Return whether ``end`` comes out right if ``one`` is replaced by the gradient of some value of its shape."""
        wholes = (known.values for known in self.known if known.whole and known.values.shape == one.values.shape)
        return self.scalar is not None and any(self._mends(one, end, true / self.scalar) for true in wholes)

    def _mends(self, one: Computed, end: Computed, true: np.ndarray) -> bool:
        wanted = self._end(end) or self._meant(end)
        if wanted is None or not one.name.isidentifier():
            return False
        expression = statements.expression(end.function, end.line, _number(end))
        if expression is None:
            return False
        with contextlib.suppress(Exception), np.errstate(all="ignore"):
            made = eval(expression, {**end.scope, one.name: true})
            return self._same(np.asarray(made), self.grads[wanted])
        return False

    def _flows_into_right(self, one: Computed, computed: list[Computed]) -> bool:
        return any(
            other.whole
            and self._takes(other, one, computed)
            and not other.name.startswith("return")
            and other.follows
            and one.name in statements.names(other.function, other.line, target=other.name)
            and other.line > one.line
            for other in computed
            if other.function is one.function
        )

    def _takes(self, later: Computed, one: Computed, computed: list[Computed]) -> bool:
        # In a loop, a name means another array each time, and the loop takes the items it runs over one by one.
        if statements.is_loop(later.function, later.line):
            return _identical(one, later)
        place = next(i for i, other in enumerate(computed) if other is later)
        latest = next(
            (o for o in reversed(computed[:place]) if o.name == one.name and o.function is one.function), None
        )
        return latest is one

    def _right(self, first: Computed) -> str:
        node = self._end(first) or self._meant(first)
        if node is None:
            node = self._closest(first)
        if node is None or not self.grads.contributions(node):
            return ""
        said = []
        for one in self.grads.contributions(node):
            if one.user is not None:
                said.append(operations.rule(one.user, one.place, self.word, node))
        joined = " + ".join(dict.fromkeys(said))
        named = {node: self.names[node]} | self.names if node in self.names else self.names
        words = (
            made_of.multiple(self._applied(first), self.grads, node, self.word(node))
            or first.words
            or made_of.describe(self._applied(first), self.grads, named, self._same)
        )
        here = f"this is {words}; " if words else ""
        return f"{here}it should be the gradient of {self.word(node)}: {joined}" if joined else ""

    def _closest(self, one: Computed) -> Node | None:
        best, node = 0.3, None
        for known in self.known:
            if known.whole and known.values.shape == one.values.shape and known.node in self.names:
                size = np.linalg.norm(known.values) * np.linalg.norm(one.values)
                cosine = abs((known.values * one.values).sum()) / size if size else 0
                if cosine > best:
                    best, node = cosine, known.node
        return node

    def _text(self, code: types.CodeType, found: Located, first: Computed | None) -> str:
        try:
            source, start = inspect.getsourcelines(code)
        except OSError:
            return ""
        width = min(76, max(len(line.rstrip()) for line in source))
        shown = []
        for number, line in enumerate(textwrap.dedent("".join(source)).splitlines(), start):
            remark = found.remarks.get(number, "")
            mark = ">" if number == found.line else " "
            shown.append(f"{mark} {number:4}  {line.ljust(width)}  {remark}".rstrip())
        if first is None:
            return "\n".join(shown)
        head = f"The first wrong line is line {found.line}, {first.name.replace('return 0', 'what it returns')}"
        head += f": {found.right}" if found.right else ": it is not the gradient of anything in forward"
        return "\n".join([f"{head}.", "", *shown])


def _without_data(name: str) -> str:
    return name.removesuffix(".data").removesuffix(".value")


def _identical(one: Computed, other: Computed) -> bool:
    return one.values.shape == other.values.shape and np.array_equal(one.values, other.values)


def _base(one: Computed) -> str:
    return one.name.partition("[")[0]


def _items(name: str, held: dict | list) -> dict[str, np.ndarray]:
    pairs = held.items() if isinstance(held, dict) else enumerate(held)
    return {f"{name}[{key!r}]": value for key, value in pairs if isinstance(value, np.ndarray)}


def _node(value: Value) -> Node | None:
    return value.__dict__.get("node")


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two gradients are equal up to rounding and axes of length 1; zeros are equal to nothing."""
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape:
        if [n for n in one.shape if n != 1] != [n for n in other.shape if n != 1]:
            return False
        one = one.reshape(other.shape)
    size = np.abs(other).max(initial=0)
    return bool(size > 0 and np.allclose(one, other, rtol=1e-7, atol=1e-9 * size))


def _number(one: Computed) -> int | None:
    return int(one.name.split()[1]) if one.name.startswith("return ") else None


@contextlib.contextmanager
def _tracing(watch: object) -> Iterator[None]:
    def trace(frame: types.FrameType, event: str, argument: object) -> object:
        watch(frame, event, argument)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
