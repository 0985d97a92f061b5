"""The tables of a recording. docs/recording.md describes them for queries with ``sqlite3``."""

from __future__ import annotations

APPLICATION_ID = 0x62706674
"""``bpft`` in the header of the file, by which `file` and bpftop recognise a recording."""

VERSION = 2
"""``PRAGMA user_version``. A reader refuses a greater version. An added table, such as FINDINGS, does not change it.

Version 1 has the whole text in each ``structure``. Frames of both kinds can be in one file, which then has version 2.
"""

MAGIC = b"SQLite format 3\x00"
APPLICATION_ID_AT = 68
"""Offset of the four bytes in the header, big endian (https://www.sqlite.org/fileformat.html)."""


def is_recording(head: bytes) -> bool:
    """Return True if a file with these first 100 bytes is a recording."""
    return (
        head.startswith(MAGIC)
        and int.from_bytes(head[APPLICATION_ID_AT : APPLICATION_ID_AT + 4], "big") == APPLICATION_ID
    )


TABLES = """
CREATE TABLE ticks (
    tick INTEGER PRIMARY KEY, wall_ns INTEGER NOT NULL, mono_ns INTEGER NOT NULL, interval_ns INTEGER,
    seq INTEGER NOT NULL, lost INTEGER NOT NULL
);
CREATE TABLE frames (
    tick INTEGER PRIMARY KEY, is_key INTEGER NOT NULL, structure BLOB, body BLOB NOT NULL, cells BLOB
);
CREATE TABLE series (
    series INTEGER PRIMARY KEY, family TEXT NOT NULL, interface TEXT, direction TEXT, name TEXT NOT NULL, counter TEXT,
    kind TEXT NOT NULL, unit TEXT NOT NULL
);
CREATE TABLE traffic_gains (
    tick INTEGER, series INTEGER, packets INTEGER, bytes INTEGER, PRIMARY KEY (tick, series)
) WITHOUT ROWID;
CREATE TABLE signal_values (
    tick INTEGER, series INTEGER, value INTEGER, PRIMARY KEY (tick, series)
) WITHOUT ROWID;
CREATE VIEW times AS
    SELECT tick, strftime('%Y-%m-%dT%H:%M:%fZ', wall_ns / 1e9, 'unixepoch') AS time, interval_ns / 1e9 AS interval_s,
        lost
    FROM ticks;
CREATE VIEW traffic AS
    SELECT tick, time, interval_s, family, interface, direction, name, packets, bytes,
        packets / interval_s AS packets_per_sec, 8 * bytes / interval_s AS bits_per_sec
    FROM traffic_gains JOIN times USING (tick) JOIN series USING (series);
CREATE VIEW signals AS
    SELECT tick, time, interval_s, family, interface, name, counter, kind, unit, value,
        CASE kind WHEN 'counter' THEN value / interval_s END AS per_sec
    FROM signal_values JOIN times USING (tick) JOIN series USING (series);
"""

FINDINGS = """
CREATE TABLE IF NOT EXISTS episodes (
    episode INTEGER PRIMARY KEY, tick INTEGER NOT NULL, wall_ns INTEGER NOT NULL, since_ns INTEGER NOT NULL,
    end_tick INTEGER, end_ns INTEGER, severity TEXT NOT NULL, id TEXT NOT NULL, scope TEXT NOT NULL,
    scope_name TEXT NOT NULL, title TEXT NOT NULL, why TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS episodes_by_tick ON episodes (tick);
CREATE VIEW IF NOT EXISTS findings AS
    SELECT tick, strftime('%Y-%m-%dT%H:%M:%fZ', wall_ns / 1e9, 'unixepoch') AS time,
        strftime('%Y-%m-%dT%H:%M:%fZ', since_ns / 1e9, 'unixepoch') AS since,
        strftime('%Y-%m-%dT%H:%M:%fZ', end_ns / 1e9, 'unixepoch') AS ended, end_tick, severity, id, scope,
        scope_name, title, why
    FROM episodes;
CREATE TABLE IF NOT EXISTS episode_values (
    episode INTEGER PRIMARY KEY, name TEXT NOT NULL, unit TEXT NOT NULL, peak REAL NOT NULL, peak_ns INTEGER NOT NULL,
    total REAL, raise_at REAL NOT NULL, clears_below REAL NOT NULL
);
CREATE VIEW IF NOT EXISTS finding_peaks AS
    SELECT tick, id, scope_name, name, unit, peak, strftime('%Y-%m-%dT%H:%M:%fZ', peak_ns / 1e9, 'unixepoch') AS at,
        total, raise_at, clears_below
    FROM episodes JOIN episode_values USING (episode);
"""
"""Also created in an older recording when a recorder continues it. A recording that is only read may lack it."""
