"""How a command says no: two kinds, told apart by the exit status."""


class UsageError(Exception):
    """The command line asks for something that cannot be meant: one line, exit status 2."""


class Failure(Exception):  # noqa: N818 - it names an outcome, as the exit status does
    """The command was understood and could not be carried out: one line, exit status 1."""
