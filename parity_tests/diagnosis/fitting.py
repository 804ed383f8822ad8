"""Inputs as the two layers take them: as many as forward has arguments, and of the shape that PyTorch's layer wants."""

import dataclasses
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis import against, targets
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.running import NotUnderstoodError
from parity_tests.diagnosis.request import Request
from parity_tests.diagnosis.trial_inputs import SHARES
from parity_tests.harness import arrays
from parity_tests.harness.lazy_torch import torch


def completed(request: Request, found: Found, options: Options) -> tuple[Request, list[str]]:
    """Return the request, completed by what forward's arguments tell, and a list of what was assumed."""
    parameters = found.parameters(found.forward)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return request, []
    optional = [words.SWITCHES, words.GENERATORS]
    taken = [
        p.name
        for p in parameters
        if p.default is p.empty
        and p.name not in (*options.extras, *words.PARAMS, "mode")
        and not any(pattern.match(p.name) for pattern in optional)
    ]
    given = len(request.inputs) + (request.target is not None)
    shaped = targets.with_shape_of_target(request, len(taken) - 1)
    if shaped != request:
        said = f"the last --input, {request.inputs[-1]}, is the shape of the target"
        by_rows = request.target == "classes" and shaped.target_shape is not None
        return shaped, [said + " as one-hot rows" * by_rows]
    missing = taken[given:] if given < len(taken) else []
    if request.target is not None and missing:
        missing = [name for name in taken[len(request.inputs) :] if words.EACH_EXAMPLES.match(name)]
    wanted = len(taken) - given
    if not missing or len(missing) != wanted or not all(words.EACH_EXAMPLES.match(name) for name in missing):
        return request, []
    count = request.inputs[0][0]
    said = f"{', '.join(missing)}: drawn, a number for each of the {count} examples (assumed; another --input changes "
    return dataclasses.replace(request, inputs=[*request.inputs, *[(count,)] * wanted]), [f"{said}it)"]


def within_domain(request: Request, theirs: Callable, inputs: tuple) -> tuple[Request, tuple, str]:
    """Return the request and the inputs, between 0 and 1 if PyTorch refuses others, as BCELoss does, and the reason."""
    if request.range is not None or not against.refusal(theirs, inputs):
        return request, inputs, ""
    request_within = dataclasses.replace(request, range=SHARES)
    within, _ = targets.draw(request_within, arrays.array)
    if against.refusal(theirs, within):
        return request, inputs, ""
    return request_within, within, f"{request.against} refuses others"


def fitted(request: Request, options: Options, theirs: Callable, inputs: tuple) -> tuple[tuple, Callable]:
    """Return the inputs and PyTorch's layer so that it takes them; where it takes the transpose, say so in ``options``.

    Raises
    ------
    NotUnderstoodError
        If it refuses them either way.
    """
    if isinstance(theirs, torch.nn.Embedding | torch.nn.EmbeddingBag):
        return (targets.indices(inputs[0].shape, theirs.num_embeddings, request.seed), *inputs[1:]), theirs
    refused = against.refusal(theirs, inputs)
    if not refused and not request.columns:
        return inputs, theirs
    if isinstance(theirs, torch.nn.LSTMCell) and len(inputs) == 3:
        return inputs, against.with_state(theirs)
    if not against.is_module(theirs) and not request.columns:
        other, at = against.with_transposed(theirs, inputs)
        if at:
            return inputs, other
    turned = (np.ascontiguousarray(inputs[0].T), *inputs[1:]) if inputs[0].ndim == 2 else inputs
    if not against.refusal(theirs, turned) and inputs[0].ndim == 2:
        options.columns = True
        others = tuple(np.ascontiguousarray(x.T) if x.ndim == 2 else x for x in inputs[1:])
        return (turned[0], *others), theirs
    raise NotUnderstoodError(f"{request.against} refuses the input: {refused}")
