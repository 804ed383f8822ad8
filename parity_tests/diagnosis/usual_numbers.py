"""The comparison on the usual numbers, with the conventions and constants under which what differs there is right."""

from parity_tests.diagnosis import constants, conventions, hidden_layers, left_out, own_steps
from parity_tests.diagnosis.prepared import Prepared
from parity_tests.diagnosis.reading import shapes
from parity_tests.harness.compare import check
from parity_tests.harness.report import AGAIN, Report


def compare(prepared: Prepared) -> tuple[Report, left_out.LeftOut | None]:
    """Return the report, and the number in forward that backward leaves out, if there is one."""
    learner, theirs, inputs, request = prepared.learner, prepared.theirs, prepared.inputs, prepared.request
    hidden = hidden_layers.compare(learner, inputs)
    prepared.notes += hidden.notes
    report = _compared(prepared)
    enlarged = [fault for fault in report.faults if shapes.ENLARGES in fault]
    if enlarged and own_steps.keeps_shapes(learner, inputs):
        learner.reshaped = enlarged
        report = _compared(prepared, *(f"{fault}; the layer's own step keeps the shape" for fault in enlarged))
    report.faults += prepared.faults
    if prepared.faults:
        report.quantities = [q for q in report.quantities if q.ok]
    if report.differs and theirs is None and conventions.means_over_columns(learner, report, inputs):
        learner.averages = True
        report = _compared(prepared, conventions.MEANS)
    if report.differs and theirs is None and (summed := conventions.sum_for_data(learner, report, inputs)):
        learner.data_summed = True
        report = _compared(prepared, conventions.SUM)
        report.agreement = f"All agree, with {summed}."
    left = left_out.find(learner, inputs, request) if report.wrong and theirs is None and not report.faults else None
    if left is not None and left.guards_logarithm:
        with left.as_zero():
            report = _compared(prepared, left.words)
        report.agreement = f"All agree, with {left.name} taken as 0."
    elif left is not None:
        report.suspects = lambda report: [left.words]
    note, fault = constants.settle(learner, inputs, request.constants)
    if theirs is None and not request.constants:
        note, fault = constants.usual(learner, inputs, report)
    if note:
        report.quantities = [q for q in report.quantities if q.ok and not q.name.endswith(AGAIN)]
        report.notes.append(note)
    elif fault:
        report.faults.append(fault)
    report.faults += hidden.faults
    if not report.quantities and not report.faults:
        report.unseen.append("nothing was compared: backward gives no gradient of anything that the output depends on")
    return report, left


def _compared(prepared: Prepared, *notes: str) -> Report:
    request = prepared.request
    report = check(prepared.learner, prepared.theirs, *prepared.inputs, seed=request.seed, strict=False)
    report.read.insert(0, f"({request.path.name} was run)")
    report.notes += [*prepared.notes, *notes]
    return report
