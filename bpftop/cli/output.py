"""Where data goes (standard output or a file) and where words to the person go (standard error)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from bpftop.cli.shutdown import interruptible
from bpftop.errors import BpftopError

_STDOUT_FD = 1


class ClosedPipe(Exception):
    """Whoever read the output has gone: the end of the work, and no error."""


class Output:
    """Takes text and hands it to a file descriptor at once, unbuffered: nothing is left over when the program ends."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.descriptor = descriptor
        self.name = name

    def write(self, text: str) -> None:
        """Write all of it. Raises ClosedPipe, or BpftopError with the reason."""
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        try:
            while rest:
                with interruptible():  # a pipe that nobody reads from may block for ever
                    written = os.write(self.descriptor, rest)
                rest = rest[written:]
        except BrokenPipeError:
            raise ClosedPipe from None
        except OSError as error:
            raise BpftopError(
                f"cannot write {self.name}: {error.strerror}; give the output another place with -o"
            ) from error


@contextmanager
def opened(path: str | None, *, private: bool = True) -> Iterator[Output]:
    """Standard output for None and ``-``; else a file that takes its name only when the block ends without an error.

    ``private``: it may hold addresses, so a new file is for its owner alone.
    """
    if path is None or path == "-":
        if sys.stdout is None:
            raise BpftopError("cannot write standard output: it is closed; give the output another place with -o")
        sys.stdout.flush()
        yield Output(_STDOUT_FD, "standard output")
        return
    from bpftop.store.atomic_file import replacing

    with ExitStack() as stack:
        with interruptible():  # a FIFO waits for its reader
            descriptor = stack.enter_context(replacing(path, private=private))
        yield Output(descriptor, path)


def when_closed(output: Output, act: Callable[[], object]) -> None:
    """Call ``act`` from a thread as soon as the reader of the pipe goes, not only when the next write finds out."""
    import select
    import threading

    poller = select.poll()
    poller.register(output.descriptor, 0)  # errors and hang-ups are always reported; a file has none

    def wait() -> None:
        poller.poll()
        act()

    threading.Thread(target=wait, name="reader-gone", daemon=True).start()


def complain(text: str) -> None:
    """A line for the person, on standard error. That it cannot be written is not worth another."""
    from bpftop.render.escaping import escaped_text

    if sys.stderr is not None:
        with suppress(OSError):
            print("\n".join(escaped_text(line) for line in f"bpftop: {text}".split("\n")), file=sys.stderr, flush=True)


def flush_stdout(code: int) -> int:
    """Write what ``print`` holds back, and return ``code``, or 1 where that failed. A reader that has gone is fine."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        # What is still in the buffer would be tried again at exit, and fail again with a traceback: let it go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT_FD)
        if isinstance(error, BrokenPipeError):
            return 0
        complain(f"cannot write standard output: {error.strerror}; give the output another place")
        return 1
    return code
