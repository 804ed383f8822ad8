"""Which forward a layer's backward undoes, and when a layer forgets what its forward saved.

`scratch.nn.record` has the rules, and what a `Record` holds. A layer keeps one, that of its latest forward.
"""

from threading import get_ident
from typing import Any, ClassVar

import numpy as np

from scratch.checks import name_of
from scratch.grad_mode import retaining
from scratch.nn.module import Module
from scratch.nn.record import FORGOTTEN, NOTHING, WRITTEN, Record, why_unclear


class Recorded(Module, saves=False):
    """A module that keeps a record of its latest forward, the base of `scratch.nn.layer.Layer`."""

    learned: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self._record: Record = NOTHING

    def record(self) -> Record:
        """Return what the latest forward saved.

        Raises
        ------
        RuntimeError
            If there was no forward, if a backward has used up what it saved, or if it is not clear which forward is
            meant: several have run since the last backward, or the latest ran in another thread.
        """
        record = Record(*self._record) if self._record[-1] else self._record
        if record.pending and record.thread == get_ident() and (record.pending == 1 or retaining.get()):
            return record
        if record.pending:
            self._forget()
        raise RuntimeError(f"{name_of(self)}: {why_unclear(record)}")

    def _forget(self) -> None:
        if self._record[-1]:
            self.__dict__["_record"] = FORGOTTEN
        super()._forget()

    def _call_off(self) -> None:
        if self._record[-1] == 1:
            self.__dict__["_record"] = FORGOTTEN
        super()._call_off()

    def _take_kept(self) -> tuple[Record, Any]:
        record, self.__dict__["_record"] = self._record, NOTHING
        return record, super()._take_kept()

    def _put_kept(self, kept: tuple[Record, Any]) -> None:
        self.__dict__["_record"], saved = kept
        super()._put_kept(saved)

    def check_unwritten(self, record: Record) -> None:
        """Raise if a parameter that a backward reads was written to since its forward.

        Raises
        ------
        RuntimeError
            If an optimizer's step or ``load_state_dict`` came in between.
        """
        record = Record(*record)
        read = [*[record.arguments[place] for place in record.plan.places], *record.saved]
        arrays = [one for one in read if isinstance(one, np.ndarray)]
        for name in self.learned:
            parameter = self.__dict__[name]
            if parameter is None or parameter.written <= record.writes:
                continue
            if any(np.may_share_memory(parameter.data, array) for array in arrays):
                self._forget()
                raise RuntimeError(f"{name_of(self)}: {name} {WRITTEN}")

    def __getstate__(self) -> dict:
        return {**super().__getstate__(), "_record": NOTHING}
