"""The base of the collectors that read files below /proc: open, read, time, parse, and build the readings."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import TypeVar, cast

from bpftop.collect.collector import CounterRows, ReadingBuilder, Unavailable
from bpftop.collect.procfs.open_file import HeldFile
from bpftop.collect.procfs.tree import Tree, unreadable
from bpftop.model.sample import Interface, Reading, reading_key

_T = TypeVar("_T")
_D = TypeVar("_D")


class ProcFile:
    """One file below /proc, read again at every tick. All reading of collectors of files happens here.

    ``path`` is below /proc; ``net/...`` is read in the network namespace of the calling thread. ``subject`` begins the
    sentence about a failure. The file stays open (see HeldFile, also about ``one_record``); a file of a recorded tree
    does not.
    """

    def __init__(self, tree: Tree, path: str, subject: str, *, one_record: bool = False) -> None:
        self.name, self.read_ns = f"/proc/{path}", 0
        self._tree, self._subject = tree, subject
        self._path = tree.proc_net / path.removeprefix("net/") if path.startswith("net/") else tree.proc / path
        self._parsed: tuple[str | None, object, object] = (None, None, None)
        self._refusal: tuple[OSError, Unavailable] | None = None
        self._held = HeldFile(self._path, one_record=one_record)

    def read(self, parse: Callable[[str], _T]) -> _T:
        """Read the file, note the time in ``read_ns`` (CLOCK_MONOTONIC), and return the parsed content.

        Of a text that has not changed, a function is not asked again: most files are the same at every tick. Nobody may
        change what it returned.

        Raises:
            Unavailable: the file cannot be read (FileMissing: does not exist), or ``parse`` raised an error.
        """
        text = self._text()
        self.read_ns = time.monotonic_ns()
        if isinstance(parse, FunctionType):  # a method may depend on more than the text
            known_text, known_parse, known = self._parsed
            if text == known_text and parse is known_parse:
                return cast("_T", known)
        try:
            parsed = parse(text)
            self._parsed = text, parse, parsed
            return parsed
        except (ValueError, IndexError, OverflowError) as error:
            raise self.not_understood(error) from error

    def read_or(self, parse: Callable[[str], _T], otherwise: _D) -> _T | _D:
        """Read as ``read`` does. Return ``otherwise`` where it raises Unavailable."""
        try:
            return self.read(parse)
        except Unavailable:
            return otherwise

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        self._held.close()

    def _text(self) -> str:
        if self._tree.is_recorded:
            return self._tree.text(self._path, self._subject)
        try:
            return self._held.text()
        except OSError as error:
            error.__traceback__ = None  # both are kept, and a frame of a tick keeps all its readings
            if self._refusal is None or error is not self._refusal[0]:
                self._refusal = error, unreadable(self._path, self._subject, error)
            refusal = self._refusal[1]
            raise type(refusal)(str(refusal)) from error

    def not_understood(self, error: Exception) -> Unavailable:
        return Unavailable(f"{self._subject}: {self.name} is not understood: {error}")


class ProcCollector(ABC):
    """A collector of one or more families out of files below /proc."""

    name: str  # of the collector, and of its family where it has only one
    subject: str  # the thing that is read; begins the sentence about a failure

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._files: list[ProcFile] = []
        self._builders: dict[str, ReadingBuilder] = {}

    @abstractmethod
    def read_rows(self) -> Mapping[str, CounterRows]:
        """Read the files and return family -> rows. Raises Unavailable where no family can be read."""

    def epoch(self, family: str) -> int:
        """Return a number that changes when the counters of the family began again."""
        return 0

    def file(self, path: str, *, one_record: bool = False) -> ProcFile:
        """Add a file of this collector; see ProcFile."""
        file = ProcFile(self.tree, path, self.subject, one_record=one_record)
        self._files.append(file)
        return file

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        begin_ns = time.monotonic_ns()
        rows_by_family = self.read_rows()
        read_ns = max(file.read_ns for file in self._files)
        cost_ns = read_ns - begin_ns
        readings: dict[str, Reading] = {}
        for family, rows in rows_by_family.items():
            builder = self._builders.get(family) or self._builders.setdefault(family, ReadingBuilder(family))
            try:
                reading = builder.reading(rows, read_ns, cost_ns, self.epoch(family))
            except OverflowError as error:  # a number that no cell holds
                raise self._files[0].not_understood(error) from error
            readings[reading_key(family)] = reading
            cost_ns = 0  # one read for all families: counted once
        return readings

    def close(self) -> None:
        for file in self._files:
            file.close()


class ProcFileCollector(ProcCollector):
    """A collector that reads exactly one file."""

    path: str  # below /proc
    one_record = False  # see HeldFile

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self._file = self.file(self.path, one_record=self.one_record)

    @abstractmethod
    def parse(self, text: str) -> Mapping[str, CounterRows]:
        """Return family -> rows. Raises ValueError or IndexError where the text has another format."""

    def read_rows(self) -> Mapping[str, CounterRows]:
        return self._file.read(self.parse)
