"""What determines a run, and its scheme in files."""

import shlex
from dataclasses import asdict, dataclass

from benchmarks import engines, tasks
from benchmarks.runs.kinds import Choice, Flag, Integer, Number, Text
from benchmarks.runs.scheme import Object
from benchmarks.tasks import Task

BOTH = "both"

SETTINGS = Object(
    {
        "task": Choice(tasks.NAMES),
        "engine": Choice((*engines.EVERY, BOTH)),
        "epochs": Integer(1),
        "batch_size": Integer(1),
        "lr": Number(0),
        "weight_decay": Number(0),
        "dropout": Number(0, 1),
        "seed": Integer(0, 2**64 - 1),
        "dtype": Choice(engines.DTYPES),
        "device": Text(engines.DEVICE, "auto, cpu, cuda, cuda:N or mps"),
        "processes": Integer(1),
    },
    optional={"precision": Choice(engines.PRECISIONS), "compile": Flag()},
    bare=True,
)


@dataclass(frozen=True)
class Settings:
    """What determines a run: the task, the engine (one of `engines.EVERY`, or "both"), and every number of the recipe.

    With a ``precision``, or ``compile``, the torch engine uses the loop of ``torch_ref/scale/fast.py``.
    """

    task: str
    engine: str
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    dropout: float
    seed: int
    dtype: str
    device: str
    processes: int = 1
    precision: str | None = None
    compile: bool = False

    @classmethod
    def of_recipe(cls, task: Task, engine: str, **changes: object) -> "Settings":
        """Return a task's recipe, with the options that are not None in place of its own."""
        given = {key: value for key, value in changes.items() if value is not None}
        defaults = {"seed": 0, "dtype": "float32", "device": "cpu", **asdict(task.recipe)}
        return cls(task=task.name, engine=engine, **{**defaults, **given})

    @classmethod
    def of_config(cls, config: dict) -> "Settings":
        """Return the settings of a run from its config.json, as `record.load_config` returns it."""
        return cls(**config["settings"])

    def engines(self) -> tuple[str, ...]:
        """Return the names of the engines that run."""
        return engines.NAMES if self.engine == BOTH else (self.engine,)

    @property
    def fast(self) -> bool:
        """Whether the torch engine uses its fast loop."""
        return self.precision is not None or self.compile

    def steps(self, rows: int) -> int:
        """Return the number of steps in an epoch over ``rows`` training rows."""
        return -(-rows // self.batch_size)

    def to_dict(self) -> dict[str, object]:
        """Return the settings as files hold them: without the options that nobody chose."""
        return {name: value for name, value in asdict(self).items() if value is not None and value is not False}

    def command(self) -> str:
        """Return the command line that repeats the run."""
        words = []
        for name, value in self.to_dict().items():
            if name != "task":
                words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
        return shlex.join(["backprop", "train", self.task, *words])
