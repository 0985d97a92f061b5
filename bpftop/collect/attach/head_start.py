"""Work with a result to be closed, done in a thread of its own while something else goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from bpftop.config.resources import NoThread, start_thread


class Closable(Protocol):
    """An object that holds resources until it is closed."""

    def close(self) -> None: ...


Made = TypeVar("Made", bound=Closable)


class HeadStart(Generic[Made]):
    """The making of one object, which begins at once. Without a thread to spare it takes place in ``take``."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._made: Made | None = None
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = threading.Thread(target=self._run, name="head start", daemon=True)
        try:
            start_thread(self._thread)
        except NoThread:
            self._thread = None

    def wait(self) -> None:
        """Wait until the object is made, or its making has failed."""
        if self._thread is not None:
            self._thread.join()

    def take(self) -> Made:
        """Wait for the object and return it; the caller owns it from now on. Raises the error of the making."""
        if self._thread is None:
            return self._make()
        self._thread.join()
        if self._error is not None:
            raise self._error
        made, self._made = self._made, None
        assert made is not None
        return made

    def close(self) -> None:
        """Wait for an object that nobody took, and close it; nobody asks for the error of its making."""
        self.wait()
        made, self._made = self._made, None
        if made is not None:
            made.close()

    def _run(self) -> None:
        try:
            self._made = self._make()
        except BaseException as error:  # noqa: BLE001 take raises it
            self._error = error
