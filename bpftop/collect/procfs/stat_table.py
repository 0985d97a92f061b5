"""Files below /proc/net/stat: a line of column names, then a line of hexadecimal numbers per possible CPU."""

from __future__ import annotations


def parse_stat_table(text: str) -> dict[str, list[int]]:
    """Return column -> the value of every possible CPU, in order. Raises ValueError.

    Names and order differ between kernels: of conntrack's columns, ``searched`` became ``clashres`` in Linux 5.10, and
    ``delete_list`` became ``chainlength`` later.
    """
    header, *lines = text.splitlines() or [""]
    names = header.split()
    if not names or not lines:
        raise ValueError("it has no line of names, or none of numbers")
    rows = [[int(word, 16) for word in line.split()] for line in lines]
    for row in rows:
        if len(row) < len(names):
            raise ValueError(f"{len(names)} columns have names and {len(row)} have numbers")
        if not all(0 <= cell < 1 << 64 for cell in row):
            raise ValueError("a number is out of range")
    return {name: [row[column] for row in rows] for column, name in enumerate(names)}
