"""What each of forward's arguments gets: an input, an option, a switch, a generator, or nothing."""

from dataclasses import dataclass, field

import numpy as np

from parity_tests.diagnosis.reading import adapters
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.running import NotUnderstoodError


@dataclass
class Arguments:
    """What forward is called with.

    Attributes
    ----------
    given, named : list, dict
        By place and by name.
    filled : dict of str to object
        The same by the names of forward's parameters.
    assumed : list of str
        What nobody said and what the call assumes, in words.
    """

    given: list
    named: dict[str, object] = field(default_factory=dict)
    filled: dict[str, object] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)


def forward_arguments(found: Found, options: Options, inputs: list) -> Arguments:
    """Return forward's arguments; raise `NotUnderstoodError` if it takes more than there is, or fewer inputs."""
    parameters = found.parameters(found.forward)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters) or not parameters:
        return Arguments(inputs, filled=dict(zip([p.name for p in parameters], inputs, strict=False)))
    taken = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    made, waiting = Arguments([]), list(inputs)
    for parameter in parameters:
        if parameter.name in options.extras:
            value = options.extras[parameter.name]
        elif words.SWITCHES.match(parameter.name):
            value = options.training
        elif parameter.name in options.keeping:
            value = True
            made.assumed.append(f"{parameter.name} = True: as it is by default, {found.backward_name} does not run")
        elif parameter.name in words.PARAMS and parameter.default is parameter.empty:
            value = dict(words.PARAMS[parameter.name])
            if "mode" in value and not options.training:
                value["mode"] = "test"
            made.assumed.append(f"{parameter.name} = {value} (assumed; --args can change it)")
        elif parameter.name == "mode" and parameter.default is parameter.empty and not waiting:
            value = "train" if options.training else "test"
        elif words.GENERATORS.match(parameter.name):
            value = np.random.default_rng(0)
        elif waiting:
            value = waiting.pop(0)
        elif parameter.default is not parameter.empty or parameter not in taken:
            continue
        else:
            raise _missing(found, options, parameter.name)
        made.filled[parameter.name] = value
        if parameter.kind is parameter.KEYWORD_ONLY:
            made.named[parameter.name] = value
        elif len(made.given) == taken.index(parameter):
            made.given.append(value)
        else:
            made.named[parameter.name] = value
    if waiting:
        named = ", ".join(p.name for p in parameters)
        alone = f"; or name {found.title}.{found.backward_name} alone" if found.owner is not None else ""
        raise NotUnderstoodError(
            f"{found.forward_name}({named}) takes {len(inputs) - len(waiting)} of the {len(inputs)} inputs; a target "
            f"that only backward takes belongs to a forward of yours that returns the loss{alone}"
        )
    return made


def _missing(found: Found, options: Options, name: str) -> NotUnderstoodError:
    adapter = adapters.of_functions(found.forward, found.backward, options.file, [name])
    return NotUnderstoodError(
        f'{found.forward_name} takes {name}: say what it is with a further --input SHAPE, or with --args "{name}=..."',
        adapter,
    )
