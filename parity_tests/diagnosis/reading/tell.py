"""What a learner's layer adds to a report: how it was read, what was not compared, and what is not a mistake."""

import numpy as np

from parity_tests.diagnosis.reading import data
from parity_tests.diagnosis.reading.describe import lines
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.outside import PICKLE
from parity_tests.harness.report import Report

ASSIGNED = (
    "gradients are assigned, not added up. That is right as long as each weight is used once per step; add them "
    "(+=, and zero them before each step) to share a weight, or to split a batch into parts"
)


def tell(learner: Learner, report: Report) -> None:
    """Add a compared learner's lines, notes and faults."""
    report.read = lines(learner)
    report.faults += learner.faults
    added = {name for name, adds in learner.accumulates.items() if adds}
    assigned = {name for name, adds in learner.accumulates.items() if not adds}
    if added and assigned:
        for name in sorted(assigned):
            report.faults.append(
                f"{_grad(name)} after a second backward: overwritten, while {_grad(min(added))} is added up: make all "
                "of them +=, or none"
            )
    elif assigned:
        report.notes.append(ASSIGNED)
    stepped = [one for one in learner.reading.learned if one.gradient is not None and one.gradient.step]
    if stepped:
        report.notes.append(
            f"{learner.found.backward_name} takes the step itself: what was compared is the step, divided by the "
            "learning rate"
            + f"; {learner.optimizers.words()} was put back before each backward, so what a step takes over from the "
            "last one (momentum) was not compared" * bool(learner.optimizers.words())
        )
    if learner.reading.flush:
        report.notes.append(
            f"{learner.found.forward_name} keeps every batch until {learner.reading.flush}() is called, so that was "
            "called after each backward: the gradients of several batches at once were not compared"
        )
    for place, shape in learner.reading.unseen:
        own = learner.world.words(place)
        if place in learner.reading.adaptive:
            optimizer = learner.world.words(learner.reading.adaptive[place])
            report.unseen.append(
                f"{own} {shape}: not compared: the step with {optimizer} is not the learning rate times the gradient; "
                "give the layer plain gradient descent, and check the optimizer by itself"
            )
            continue
        report.unseen.append(
            f"{own} {shape}: the output depends on it, but no gradient of it was found (a constant? say --constant "
            f"{place.last or place.name})"
        )
    if learner.reading.strays:
        report.notes.append(
            f"{', '.join(learner.reading.strays)} of what {learner.found.backward_name} returns: the gradient of no "
            "input or parameter that was found; not compared"
        )
    for name in learner.reading.outside:
        if name not in learner.constants:
            what = f"a {name}" if name == PICKLE else name
            report.unseen.append(
                f"{learner.found.forward_name} reads {what}: the numbers in it were not compared; keep them in an "
                f"array (constants? say --constant {name})"
            )
    for one in learner.reading.learned:
        for place in one.gradient.beside:
            report.unseen.append(
                f"{learner.world.words(place)} is called a gradient of {learner.world.words(one.place)}, too, but "
                f"{learner.world.words(one.gradient.place)} alone was compared: an optimizer that uses both takes two "
                "steps"
            )
    for place, shape in learner.reading.unused:
        own = learner.world.words(place)
        report.notes.append(f"{own} {shape}: forward does not use it, and no gradient of it was found; not compared")
    if learner.not_kept and learner.training:
        names = " and ".join(learner.not_kept)
        report.notes.append(f"PyTorch's {names}: no array of yours is called so, or the like; not compared")
    if learner.unmatched:
        report.unseen.append(
            f"the output was not compared with PyTorch's: {', '.join(learner.unmatched)} have no counterpart, so "
            "the two layers cannot get the same parameters; the gradients were compared with finite differences"
        )
    _beside(learner, report)
    _inputs(learner, report)


def _beside(learner: Learner, report: Report) -> None:
    beside = [(name, shape) for name, shape in learner.reading.beside if name not in learner.constants]
    if np.ndim(learner.outputs[0]) == 0 and beside:
        names = ", ".join(name for name, _ in beside)
        report.notes.append(f"{names}, returned beside the loss: not compared; the gradients are the loss's")
        return
    for name, shape in beside:
        report.unseen.append(
            f"{name} {shape}, which {learner.found.forward_name} returns: not compared, as "
            f"{learner.found.backward_name} takes no gradient of it (a by-product? say --constant {name})"
        )


def _grad(name: str) -> str:
    prefix, dot, last = name.rpartition(".")
    return f"{prefix}{dot}grad_{last}"


def _inputs(learner: Learner, report: Report) -> None:
    returning = learner.found.backward_name or learner.found.forward_name  # of a loss that returns its gradients
    names = learner.input_names(len(learner.last))
    without = [i for i in learner.without_gradient if names[i] not in learner.constants and learner.depends_on(i)]
    if not without:
        return
    loss = all(np.ndim(y) == 0 for y in learner.outputs) or learner.plan.convention != "upstream"
    if learner.reading.inputs and (loss or learner.plan.options.target is not None):
        first = min(learner.reading.inputs)
        before = [names[i] for i in without if i < first]
        if before and len(learner.reading.inputs) == 1:
            missing = f"{' and '.join(before)} beside that of {names[first]}"
            report.notes.append(f"{returning} returns no gradient of {missing}: data need none; not compared")
        return  # the others are targets
    returned = loss and learner.found.backward is None and learner.plan.options.target is not None
    if not learner.reading.inputs and (learner.found.of_data or returned) and learner.reading.learned:
        missing = " and ".join(names[i] for i in without)
        report.notes.append(f"{returning} returns no gradient of {missing}: data need none; not compared")
        report.unseen += data.numbers_without_gradient(learner)
        return
    if not learner.reading.inputs and _is_network(learner):
        report.notes.append(
            f"{returning} returns no gradient of {' and '.join(names[i] for i in without)}: the first layer of a "
            "network needs none; not compared"
        )
        return
    for i in without:
        report.unseen.append(
            f"{names[i]} {learner.last[i].shape}: the output depends on it, but {returning} returns no "
            f"gradient of it (is the return missing? a constant? say --constant {names[i]})"
        )


def _is_network(learner: Learner) -> bool:
    matrices = [one for one in learner.reading.learned if len([n for n in one.shape if n > 1]) > 1]
    indices = {tuple(key for _, key in one.place.steps if isinstance(key, int)) for one in learner.reading.learned}
    return len(matrices) > 1 or len(indices) > 1  # in the layers of a list
