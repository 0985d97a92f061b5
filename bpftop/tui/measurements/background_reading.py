"""Readings about one object in a thread, so that the screen never waits for the kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from bpftop.config.resources import NoThread, start_thread, why_failed
from bpftop.errors import BpftopError

READING = ("reading...",)

ValueT = TypeVar("ValueT")


class BackgroundReading(Generic[ValueT]):
    """The object that was asked for last; one reading is under way at a time.

    Args:
        read: Returns the value of an object by its id. May block, and may raise BpftopError.
        notify: Called in the thread after every reading.
    """

    def __init__(self, read: Callable[[int], ValueT], notify: Callable[[], object]) -> None:
        self._read, self._notify = read, notify
        self._lock = threading.Lock()
        self._wanted: tuple[int, int] | None = None
        self._known: tuple[int, int] | None = None
        self._value: ValueT | str | None = None
        self._busy = False

    def get(self, object_id: int, version: int = 0) -> ValueT | str | None:
        """Return the known value of the object; begin to read it again if the value is of an older ``version``.

        A text is the sentence of an error; None: the first reading is under way.
        """
        with self._lock:
            self._wanted = object_id, version
            begin = self._known != self._wanted and not self._busy
            self._busy = self._busy or begin
            value = self._value if self._known is not None and self._known[0] == object_id else None
        if begin:
            thread = threading.Thread(target=self._read_wanted, name="bpf-object", daemon=True)
            try:
                start_thread(thread)
            except NoThread as error:
                self._busy = False
                return str(error)
        return value

    def _read_wanted(self) -> None:
        with self._lock:
            wanted = self._wanted
        assert wanted is not None, "a thread is started for a wanted object"
        value: ValueT | str
        try:
            value = self._read(wanted[0])
        except BpftopError as error:
            value = str(error)
        except Exception as error:  # noqa: BLE001 - a traceback would be printed into the screen
            value = why_failed(error, "reading the BPF object")
        with self._lock:
            self._known, self._value, self._busy = wanted, value, False
        self._notify()


class BackgroundText(BackgroundReading[Sequence[str]]):
    """The lines of text about an object."""

    def lines(self, object_id: int) -> Sequence[str]:
        """Return the lines, or the error, or that the reading is under way."""
        value = self.get(object_id)
        return READING if value is None else (value,) if isinstance(value, str) else value
