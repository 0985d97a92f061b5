"""Entry point of the command ``bpftop``. Every error ends here as one line on standard error and an exit code."""

from __future__ import annotations

import sys

from bpftop import __version__
from bpftop.errors import BpftopError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bpftop.collect.attach.early_start import EarlyStart


def main(arguments: list[str] | None = None) -> int:
    """Run one command; ``arguments`` are the words after the program's name, None: the words of this process.

    Return the exit code: 0 success, 1 failure, 2 bad usage, a code of the verb, or 128 + the number of a signal.
    """
    try:  # the imports are inside, so that Ctrl-C during the imports is quiet, too
        words = sys.argv[1:] if arguments is None else arguments
        if words == ["--version"] and _version_printed():
            return 0
        begun: _Begun | None = None
        try:
            from bpftop.cli.garbage_collection import garbage_kept
            from bpftop.config.resources import exhausted, raise_open_file_limit, spare_address_space

            raise_open_file_limit()
            spare_address_space()
            with garbage_kept():
                begun = _Begun(words)  # the kernel verifies a program while all that follows is imported
                from bpftop.cli.output import ClosedPipe, complain, flush_stdout, no_tracebacks
                from bpftop.cli.shutdown import Ended, ending_signals
        except (ImportError, OSError, MemoryError) as error:
            if begun is not None:
                begun.close()
            return _failed_start(error)
        try:
            with no_tracebacks(), ending_signals():
                code = begun.run()
            return flush_stdout(code)
        except ClosedPipe:
            return flush_stdout(0)
        except Ended as ended:
            return 128 + ended.number
        except BpftopError as error:
            _traceback_if_wanted()
            complain(str(error))
            return error.exit_code
        except OSError as error:
            _traceback_if_wanted()
            complain(exhausted(error) or _refused(error))
            return 1
        except Exception as error:  # noqa: BLE001 an engineer on call needs a sentence, not a traceback
            _traceback_if_wanted()
            complain(exhausted(error) or _unexpected(error))
            return 1
    except KeyboardInterrupt:
        return 130


def _version_printed() -> bool:
    """Print the version without the imports of a verb; False if that failed, which argparse then reports."""
    try:
        print(f"bpftop {__version__}", flush=True)
    except (OSError, ValueError):
        return False
    return sys.stdout is not None


def _failed_start(error: Exception) -> int:
    """Print a sentence without any further import."""
    resources: Any = sys.modules.get("bpftop.config.resources")
    reason = None if resources is None else resources.exhausted(error)
    limits = "check the limits of open files and memory (ulimit -n, ulimit -v), then the installation"
    if sys.stderr is not None:
        sys.stderr.write(f"bpftop: {reason or f'cannot start: {error}; {limits}'}\n")
    return 1


class _Begun:
    """A command whose early start, if its words tell that it counts, is under way. No signal is handled yet then.

    Until ``run`` nothing is attached: a killed process leaves nothing behind.
    """

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._early: EarlyStart | None = None
        self._error: Exception | None = None
        try:
            self._begin()
        except Exception as error:  # noqa: BLE001 run raises it, where it is told like every error
            self._error = error

    def _begin(self) -> None:
        from bpftop.cli.verb_table import joined_values, likely_interfaces, split, will_count

        self._verb, self._rest = split(joined_values(self._words))
        if will_count(self._verb, self._rest):
            from bpftop.collect.attach.early_start import EarlyStart

            self._early = EarlyStart(likely_interfaces(self._rest))

    def run(self) -> int:
        """Run the command and return its exit code. Raises what it raises, and what its early start raised."""
        try:
            if self._error is not None:
                raise self._error
            return _run_verb(self._verb, self._rest, self._early)
        finally:
            self.close()

    def close(self) -> None:
        """End an early start that no source has taken over.

        A thread that outlives the interpreter ends by libgcc, and aborts the process where no file can be opened for
        it.
        """
        if self._early is not None and not self._early.taken:
            self._early.close()


def _run_verb(verb: str | None, rest: list[str], early: EarlyStart | None) -> int:
    from importlib import import_module

    from bpftop.cli.garbage_collection import garbage_kept

    with garbage_kept():
        from bpftop.cli.config_options import configured
        from bpftop.cli.options import parser_for
        from bpftop.cli.output import complain
        from bpftop.cli.verb_table import DEFAULT, MODULES, VERBS

        module = import_module(f"{MODULES}.{verb or DEFAULT}")
    parser = parser_for(verb)
    module.add_arguments(parser)
    try:
        loaded = configured(parser, verb, rest)
        # argparse's mixed mode forgets what "--" means (Python 3.10 to 3.13)
        parsed = parser.parse_args(rest) if "--" in rest else parser.parse_intermixed_args(rest)
        parsed.loaded, parsed.early = loaded, early
        if loaded.message is not None and not getattr(module, "SHOWS_PROBLEMS", False):
            complain(loaded.message)
        return int(module.run(parsed))
    except SystemExit as end:  # --help and --version have been printed
        return int(end.code or 0)
    except BpftopError as error:
        from bpftop.cli.suggestions import did_you_mean

        error.args = (f"{error}{did_you_mean(rest, None if verb else VERBS, parser.options(), error)}",)
        raise


def _refused(error: OSError) -> str:
    return (
        f"the system refused a basic operation: {error}; check the limits (ulimit -a), /proc, /sys and the seccomp "
        "profile, and please report it if they are as usual"
    )


def _unexpected(error: Exception) -> str:
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return (
        f"this is a bug in bpftop: {what}; please report it to the project's issue tracker, with what the same command "
        "prints with BPFTOP_DEBUG=1 in its environment"
    )


def _traceback_if_wanted() -> None:
    from bpftop.cli.output import debugging

    if debugging():
        import traceback

        traceback.print_exc()
