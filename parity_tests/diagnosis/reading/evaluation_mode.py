"""Put somebody's layer into evaluation mode, by whichever switch it has."""

from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.running import Stage

SWITCHES = ("training", "train", "is_training", "train_mode", "train_flg", "is_train")


def switch_to_evaluation(found: Found, stage: Stage) -> None:
    """Call the layer's ``eval``, set its switches, and take the result as its start."""
    owner = found.owner
    if callable(getattr(owner, "eval", None)):
        with stage("eval()"):
            owner.eval()
    for name in SWITCHES:
        if isinstance(getattr(owner, name, None), bool):
            setattr(owner, name, False)
    if isinstance(getattr(owner, "mode", None), str):
        owner.mode = "test"
    found.world.snapshot()
