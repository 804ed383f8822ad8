"""How a command ends early: three exceptions, each with its exit status, and error messages that fit on one line."""

import os
import shlex

LONGEST_NAME = 200
LONGEST_MESSAGE = 2000
ADVICE = "go on with: "


class UsageError(Exception):
    """The command line makes no sense: one line, exit status 2."""


class Failure(Exception):  # noqa: N818 - it names an outcome, as the exit status does
    """The command was understood but could not be carried out: one line, exit status 1."""


class Interrupted(BaseException):
    """A signal asked the command to end: one line, exit status 128 + the signal's number.

    As with KeyboardInterrupt, an ``except Exception`` does not catch it.
    """

    def __init__(self, number: int, message: str = "interrupted") -> None:
        super().__init__(message)
        self.number = number


def shown(value: object) -> str:
    r"""Return a name or an argument for a message: quoted if it would not print as it is, and cut if it is long.

    Examples
    --------
    >>> shown("runs/first"), shown("a\nb")
    ('runs/first', "'a\\nb'")
    """
    text = str(value)
    return _cut(text, len(text)) if text.isprintable() and text == text.strip() and text else quoted(text)


def quoted(text: str) -> str:
    """Return an argument in quotes for a message, whatever it holds, and cut if it is long."""
    return _cut(repr(text) if text.isprintable() else ascii(text), len(text))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}... ({length} characters)"


def pasteable(words: list[str]) -> str:
    r"""Return a command on one line that a shell reads as these words, whatever they contain.

    Examples
    --------
    >>> print(pasteable(["rm", "my  run", "a\nb"]))
    rm 'my  run' $'a\nb'
    """
    return " ".join(shlex.quote(word) if word.isprintable() else _ansi_quote(word) for word in words)


def _ansi_quote(word: str) -> str:
    # Write what cannot be printed as bytes, so that names that are not valid text survive, too.
    escapes = {"\n": "\\n", "\t": "\\t", "\\": "\\\\", "'": "\\'"}
    printed = (
        escapes.get(letter) or (letter if letter.isprintable() else "".join(f"\\x{b:02x}" for b in os.fsencode(letter)))
        for letter in word
    )
    return f"$'{''.join(printed)}'"


def one_line(message: str, arguments: list[str]) -> str:
    """Return a message as one printable line of limited length.

    Parameters
    ----------
    message : str
        Its lines are joined: errors of a library may have several.
    arguments : list of str
        The command line's words. Where the message repeats one that cannot be printed or is very long, that word is
        quoted and cut. A command that the message advises (see `pasteable`) is left whole.
    """
    message, advice, command = message.partition(ADVICE)
    values = {part for word in arguments for part in (word, word.partition("=")[2])}
    for value in sorted(values, key=len, reverse=True):
        if value and (not value.isprintable() or len(value) > LONGEST_NAME):
            message = message.replace(value, shown(value))
    message = " ".join(line.strip() for line in message.splitlines()) + " " * message.endswith(" ")
    message = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in message)
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[: LONGEST_MESSAGE // 2]} ... {message[-LONGEST_MESSAGE // 2 :]}"
    return message + advice + command
