"""Names of devices, which are any bytes to the kernel: the text of a name is the same in every locale."""

from __future__ import annotations


def name_text(name: bytes) -> str:
    """Decode a name as UTF-8; other bytes become surrogates, as with os.fsdecode in a UTF-8 locale."""
    return name.decode("utf-8", "surrogateescape")


def name_bytes(text: str) -> bytes:
    """Return the bytes of a name that ``name_text`` decoded."""
    return text.encode("utf-8", "surrogateescape")
