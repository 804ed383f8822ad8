"""A network's loss as a function of data: what else it depends on than arrays."""

from parity_tests.diagnosis.reading.floats import OPTIONS
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.trials import Trials


def numbers_without_gradient(learner: Learner) -> list[str]:
    """Return what to say of single numbers, as a bias may be, where gradients are returned that belong to no array."""
    sources = [one.gradient.leaf for one in learner.reading.learned if one.gradient is not None]
    left = [name for name in learner.plan.leaf_names if name not in sources]
    if not left:
        return []
    known = {one.place for one in learner.reading.learned}
    own = [
        (place, values)
        for place, values in learner.world.places()
        if learner.world.prefixes[place.root] == "self" and not OPTIONS.match(place.last)
    ]
    numbers = {place: values for place, values in own if values.ndim == 0 and place not in known}
    returning = learner.found.backward_name or learner.found.forward_name
    return [
        f"{learner.world.words(place)}, a number: not compared; {returning} returns gradients ({', '.join(left)}) that "
        f"belong to no array: return its own under a name, d{place.last}, or make it an array of shape (1,)"
        for place in Trials(learner.plan, learner.stage, learner.last).moving(numbers, {})
    ]
