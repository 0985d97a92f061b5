"""Outputs: data to standard output or a file, messages to standard error."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from bpftop.cli.shutdown import interruptible
from bpftop.config.resources import NoThread, exhausted, start_thread
from bpftop.errors import BpftopError
from bpftop.model.escaping import escaped_text  # early: an error path may have no file left for an import
from bpftop.render.ascii import ascii_needed, ascii_text

if TYPE_CHECKING:
    import argparse

    from bpftop.export.formats import OutputFormat

_STDOUT_FD = 1
_STDERR_FD = 2
_LOG_WIDTH = 200
_NO_MEMORY = b"bpftop: no memory is left to say what failed; raise the limit (ulimit -v, memory.max of the cgroup)\n"


class ClosedPipe(Exception):
    """The reader of the output has closed the pipe. This ends the work and is no error."""


class Output:
    """Unbuffered writer of text to a file descriptor, so that nothing is left to write when the program ends.

    ``ascii_only``: characters outside ASCII are replaced by their likes.
    """

    def __init__(self, descriptor: int, name: str, ascii_only: bool = False) -> None:
        self.descriptor = descriptor
        self.name = name
        self._ascii_only = ascii_only

    def write(self, text: str) -> None:
        """Write the whole text. Raises ClosedPipe, or BpftopError with the reason."""
        shown = ascii_text(text) if self._ascii_only else text
        self.write_bytes(shown.encode("utf-8", "backslashreplace"))

    def write_block(self, block: bytes) -> None:
        """Write a part that is of use as a whole: a file that takes only some of it (a full disk) takes nothing of it.

        Raises ClosedPipe, or BpftopError with the reason.
        """
        if not stat.S_ISREG(os.fstat(self.descriptor).st_mode):
            self.write_bytes(block)
            return
        before = os.lseek(self.descriptor, 0, os.SEEK_CUR)
        try:
            rest = memoryview(block)
            while rest:  # a file does not wait, so a signal can come after the whole block
                rest = rest[os.write(self.descriptor, rest) :]
        except OSError as error:
            os.ftruncate(self.descriptor, before)
            os.lseek(self.descriptor, before, os.SEEK_SET)
            raise self._failure(error) from error

    def write_bytes(self, content: bytes) -> None:
        """Write all of it. Raises ClosedPipe, or BpftopError with the reason."""
        rest = memoryview(content)
        try:
            while rest:
                with interruptible():  # writing to a pipe without a reader may block for ever
                    written = os.write(self.descriptor, rest)
                rest = rest[written:]
        except BrokenPipeError:
            raise ClosedPipe from None
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> BpftopError:
        return BpftopError(f"cannot write {self.name}: {error.strerror}; give the output another place with -o")


@contextmanager
def opened(path: str | None, *, private: bool = True, ascii_only: bool = False) -> Iterator[Output]:
    """Yield the output: standard output for None and ``-``, else a file that is replaced when the block succeeds.

    ``private``: only the owner can read a new file, because it may contain addresses. ``ascii_only``: see Output.
    """
    if path is None or path == "-":
        if sys.stdout is None:
            raise BpftopError("cannot write standard output: it is closed; give the output another place with -o")
        sys.stdout.flush()
        yield Output(_STDOUT_FD, "standard output", ascii_only)
        return
    from bpftop.store.atomic_file import replacing

    with ExitStack() as stack:
        with interruptible():  # opening a FIFO waits for its reader
            descriptor = stack.enter_context(replacing(path, private=private))
        yield Output(descriptor, path, ascii_only)


def table_width() -> int:
    """Return the width of the terminal on standard output, or a width for logs, where long lines do no harm."""
    import shutil

    return shutil.get_terminal_size((_LOG_WIDTH, 0)).columns


def document_output(arguments: argparse.Namespace, chosen: OutputFormat | None) -> AbstractContextManager[Output]:
    """Open the output of a verb that writes a document by its ``--output`` and ``--ascii``.

    ``chosen``: the format; None for sample lines, which hold addresses and are not for people.
    """
    if chosen is None:
        return opened(arguments.output)
    to_terminal = arguments.output is None and is_terminal(sys.stdout)
    ascii_only = chosen.text and (arguments.ascii or ascii_needed(os.environ, to_terminal=to_terminal))
    return opened(arguments.output, private=not chosen.public, ascii_only=ascii_only)


def is_terminal(stream: TextIO | None) -> bool:
    """Return True if a standard stream is open and is a terminal."""
    return stream is not None and stream.isatty()


def when_closed(output: Output, act: Callable[[], object]) -> None:
    """Call ``act`` from a thread as soon as the reader closes the pipe; the next write may be an interval away."""
    import select

    poller = select.poll()
    poller.register(output.descriptor, 0)  # errors and hang-ups are always reported; a file has none

    def wait() -> None:
        poller.poll()
        act()

    with suppress(NoThread):  # then the next write notices it
        start_thread(threading.Thread(target=wait, name="reader-gone", daemon=True))


@contextmanager
def no_tracebacks() -> Iterator[None]:
    """Print a sentence instead of a traceback where a thread ends by an error, inside the block.

    Of an error in a destructor nothing is printed without BPFTOP_DEBUG: such an object was half built when an error
    that is reported itself ended its making.
    """
    before = threading.excepthook, sys.unraisablehook

    def report(failure: threading.ExceptHookArgs) -> None:
        if failure.exc_value is not None and failure.thread is not None:
            try:
                why = exhausted(failure.exc_value) or f"{type(failure.exc_value).__name__}: {failure.exc_value}"
                complain(f"{failure.thread.name} ended: {why}")
            except MemoryError:
                os.write(_STDERR_FD, _NO_MEMORY)

    threading.excepthook = report
    if not debugging():
        sys.unraisablehook = lambda _: None
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = before


def debugging() -> bool:
    """True if the person wants tracebacks: BPFTOP_DEBUG is neither empty nor 0."""
    return os.environ.get("BPFTOP_DEBUG", "0") not in ("", "0")


def complain(text: str) -> None:
    """Print a message on standard error. A failure to print is ignored; without memory a fixed sentence is printed."""
    if sys.stderr is None:
        return
    try:
        shown = "\n".join(escaped_text(line) for line in f"bpftop: {text}".split("\n"))
        if ascii_needed(os.environ, to_terminal=is_terminal(sys.stderr)):
            shown = ascii_text(shown)
        print(shown, file=sys.stderr, flush=True)
    except MemoryError:
        os.write(_STDERR_FD, _NO_MEMORY)
    except OSError:  # no `suppress`: it would take memory before the block begins
        pass


def flush_stdout(code: int) -> int:
    """Flush standard output, and return ``code``, or 1 if that failed. A closed pipe is no failure."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        # Python flushes the rest again at exit and would print a traceback; send the rest to /dev/null.
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT_FD)
        if isinstance(error, BrokenPipeError):
            return 0
        complain(f"cannot write standard output: {error.strerror}; give the output another place")
        return 1
    return code
