"""Names of kernel functions by address, from /proc/kallsyms."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from pathlib import Path

KALLSYMS = Path("/proc/kallsyms")


class KernelFunctions:
    """The table of the kernel's functions, read at the first question.

    The kernel shows addresses as 0 without CAP_SYSLOG (kernel.kptr_restrict), and ``name`` then returns None.
    """

    def __init__(self, path: Path = KALLSYMS) -> None:
        self._path = path
        self._addresses: array[int] | None = None
        self._names: list[bytes] = []

    def name(self, address: int) -> str | None:
        """Return ``FUNCTION+0xOFFSET``; None where no function is known. Raises nothing."""
        if self._addresses is None:
            self._read()
        addresses = self._addresses or array("Q")
        at = bisect_right(addresses, address) - 1
        if at < 0:
            return None
        return f"{self._names[at].decode(errors='replace')}+{address - addresses[at]:#x}"

    @property
    def is_hidden(self) -> bool:
        """Return True if a question was asked and the kernel shows no addresses."""
        return self._addresses is not None and not self._addresses

    def _read(self) -> None:
        """Keep the functions with an address, in order: some 60 000, 6 MB while the capture lasts."""
        rows: list[tuple[int, bytes]] = []
        try:
            with self._path.open("rb") as lines:
                for line in lines:
                    words = line.split()
                    if len(words) >= 3 and words[1] in (b"t", b"T", b"w", b"W") and words[0].strip(b"0"):
                        rows.append((int(words[0], 16), words[2]))
        except (OSError, ValueError):
            rows = []
        rows.sort()
        self._addresses = array("Q", [address for address, _ in rows])
        self._names = [name for _, name in rows]
