"""Lines of text about one object, read in a thread, so that the screen never waits for the kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from bpftop.config.resources import NoThread, start_thread, why_failed
from bpftop.errors import BpftopError

READING = ("reading...",)


class BackgroundText:
    """The text about the object that was asked for last; one reading is under way at a time.

    Args:
        read: Returns the lines about an object by its id. May block, and may raise BpftopError.
        notify: Called in the thread after every reading.
    """

    def __init__(self, read: Callable[[int], Sequence[str]], notify: Callable[[], object]) -> None:
        self._read, self._notify = read, notify
        self._lock = threading.Lock()
        self._wanted: tuple[int, int] | None = None
        self._known: tuple[int, int] | None = None
        self._lines: Sequence[str] = ()
        self._busy = False

    def lines(self, object_id: int, version: int = 0) -> Sequence[str]:
        """Return the known lines of the object; begin to read them again if they are of an older ``version``."""
        with self._lock:
            self._wanted = object_id, version
            begin = self._known != self._wanted and not self._busy
            self._busy = self._busy or begin
            lines = self._lines if self._known is not None and self._known[0] == object_id else READING
        if begin:
            thread = threading.Thread(target=self._read_wanted, name="bpf-object", daemon=True)
            try:
                start_thread(thread)
            except NoThread as error:
                self._busy = False
                return (str(error),)
        return lines

    def _read_wanted(self) -> None:
        with self._lock:
            wanted = self._wanted
        assert wanted is not None, "a thread is started for a wanted object"
        try:
            lines: Sequence[str] = tuple(self._read(wanted[0]))
        except BpftopError as error:
            lines = (str(error),)
        except Exception as error:  # noqa: BLE001 - a traceback would be printed into the screen
            lines = (why_failed(error, "reading the BPF object"),)
        with self._lock:
            self._known, self._lines, self._busy = wanted, lines, False
        self._notify()
