"""How a command ends early: three kinds, told apart by the exit status."""


class UsageError(Exception):
    """The command line asks for something that cannot be meant: one line, exit status 2."""


class Failure(Exception):  # noqa: N818 - it names an outcome, as the exit status does
    """The command was understood and could not be carried out: one line, exit status 1."""


class Interrupted(BaseException):
    """A signal asked the command to end: one line, exit status 128 + the signal's number.

    As with KeyboardInterrupt, an ``except Exception`` does not catch it.
    """

    def __init__(self, number: int, message: str = "interrupted") -> None:
        super().__init__(message)
        self.number = number
