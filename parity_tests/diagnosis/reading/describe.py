"""How the layer was read, one item per line: the beginning of every report."""

from parity_tests.diagnosis.reading.learned import Learned
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.nested import leaves
from parity_tests.diagnosis.reading.plans import RATE


def lines(learner: Learner) -> list[str]:
    """Return what forward and backward are called with and return, and every array that was found."""
    plan, reading = learner.plan, learner.reading
    names = learner.input_names(len(learner.last))
    shown = [names[i] + " as one-hot rows" * (plan.onehot and i == plan.options.target) for i in plan.order]
    returned = _returned(learner)
    found = [f"{learner.found.forward_name}({', '.join(shown)}) -> {returned}"]
    found.append(_backward(learner, names))
    target = plan.options.target
    if target is not None and learner.last[target].dtype.kind in "iu" and learner.last[target].size:
        found.append(f"{names[target]}: classes from {learner.last[target].min()} to {learner.last[target].max()}")
    for one in reading.learned:
        found.append(f"{learner.world.words(one.place)} {one.shape}: {_parameter(learner, one)}")
    if learner.buffers:
        for name, (place, values) in learner.buffers.items():
            own = learner.world.words(place)
            found.append(
                f"{own} {values.shape}: " + (f"PyTorch's {name}" if place.name != name else "compared after forward")
            )
    taken = {place for place, _ in learner.buffers.values()}
    for place, shape in reading.state:
        if place not in taken:
            found.append(f"{learner.world.words(place)} {shape}: state that forward keeps; not compared")
    for place, shape in reading.constants:
        found.append(f"{learner.world.words(place)} {shape}: a constant, without gradient")
    for name, shape in reading.beside:
        if name in learner.constants:
            found.append(f"{name} {shape}: {learner.found.forward_name} returns it, without gradient; not compared")
    for i in learner.without_gradient:
        found.append(f"{names[i]} {learner.last[i].shape}: no gradient is returned for it")
    found += plan.extra_words
    if plan.options.columns:
        found.append("the columns are the examples: PyTorch gets the transpose")
    return found


def _returned(learner: Learner) -> str:
    plan = learner.plan
    if plan.returned is None:
        return f"None; the output is self.{plan.output_name}"
    if plan.pulled is not None:
        return f"({_values(learner)}, the pullback)"
    if plan.made is not None and learner.found.backward is None:
        return f"({output(learner, 0)}, gradients)"
    return _values(learner)


def _values(learner: Learner) -> str:
    plan = learner.plan
    if plan.made is None:
        return output(learner, 0)
    outputs = {index: _value(learner, index) for index in plan.split.outputs}
    left = [name for name, _ in learner.reading.beside]
    names = [
        outputs.get(i) or (plan.made.name(i) if plan.made.name(i) in left else plan.made.names[i] or "cache")
        for i in range(len(plan.made.values))
    ]
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def output(learner: Learner, place: int) -> str:
    """Return an output's name: the code's own where there are several arrays."""
    plan = learner.plan
    if plan.outputs[place].ndim == 0 and place == 0:
        return "the loss"
    several = plan.made is not None and (len(plan.outputs) > 1 or learner.reading.beside)
    return plan.made.output_names(plan.split.outputs)[place] if several else "y"


def _value(learner: Learner, index: int) -> str:
    """Return the name of a value among those that forward returns: of one output, or of several in a tuple."""
    plan = learner.plan
    places = [i for i in plan.split.outputs for _ in leaves(plan.made.values[i])]
    names = [output(learner, place) for place, i in enumerate(places) if i == index]
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _handed(learner: Learner) -> str:
    """Return which argument of backward gets which upstream gradient."""
    split = learner.plan.split
    names = [_value(learner, index) for index in split.outputs] if learner.plan.made is not None else ["y"]
    if split.packed:
        return f"{split.packed} = the gradients of {', '.join(names)}"
    if len(split.takers) > 1 or learner.reading.beside:
        return ", ".join(f"{taker} = the gradient of {names[place]}" for taker, place in split.takers.items())
    return "grad_output"


def _backward(learner: Learner, names: list[str]) -> str:
    plan, found = learner.plan, learner.found
    inputs = learner.reading.inputs
    parts = [
        f"the gradient of {names[i]}" + (f" in {learner.world.words(s.place)}" if s.place is not None else "")
        for i, s in sorted(inputs.items())
    ]
    said = ", ".join(parts) or "no gradient of the input"
    called = found.backward_name or ("the function returned" if plan.pulled else found.forward_name)
    given = "forward's output" if plan.at_output else "forward's arguments"
    handed = {
        "upstream": _handed(learner),
        "derivative": f"{given}; its result is multiplied by grad_output",
        "none": "nothing; its result is multiplied by grad_output",
    }[plan.convention]
    if learner.jacobian:
        handed = handed.replace("its result is multiplied by grad_output", "grad_output is multiplied by its result")
        return f"{called}({handed}) -> the Jacobian, outputs times inputs: {said}"
    if found.backward is None and plan.pulled is None:
        return f"gradients returned with the loss: {said}"
    return f"{called}({handed}) -> {said}"


def _parameter(learner: Learner, one: Learned) -> str:
    said = one.name if one.name != one.place.name else "parameter"
    if one.view.words:
        said += f", {one.view.words}" + ("" if "shape" in one.view.words else f": PyTorch's is {one.view.shape}")
    source = one.gradient.words(learner.world, learner.found.backward_name or learner.found.forward_name)
    if one.gradient.step:
        source += f", learning rate {one.gradient.rate:g}" + " (given)" * (one.gradient.rate == RATE)
        if one.gradient.optimizer is not None:
            source += f", that of {learner.world.words(one.gradient.optimizer)}"
    others = [learner.world.words(place) for place in learner.world.aliases(one.place) if place != one.place]
    if others:
        source += f"; the same array as {', '.join(others)}"
    if not one.moves:
        said += ", on which the output does not depend"
    return f"{said}; {source}"
