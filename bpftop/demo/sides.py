"""The two sides of the lab: names and addresses."""

from typing import NamedTuple


class Side(NamedTuple):
    """A side of the lab. The generator has four addresses of each kind, which act as four hosts."""

    name: str
    interface: str
    mac: str
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]

    @property
    def mac_bytes(self) -> bytes:
        return bytes.fromhex(self.mac.replace(":", ""))


# 198.18.0.0/15 is set aside for benchmarks between networks (RFC 2544), fd00::/8 for private use (RFC 4193); the
# second digit 2 in the MAC addresses says "locally administered".
WATCHED = Side("watched", "demo0", "02:62:70:66:00:01", ("198.18.0.1",), ("fd62:7066:746f::1",))
GENERATOR = Side(
    "generator",
    "demo1",
    "02:62:70:66:00:02",
    tuple(f"198.18.0.{host}" for host in (2, 3, 4, 5)),
    tuple(f"fd62:7066:746f::{host}" for host in (2, 3, 4, 5)),
)
IPV4_PREFIX = 24
IPV6_PREFIX = 64


def other(side: Side) -> Side:
    """Return the opposite side."""
    return GENERATOR if side is WATCHED else WATCHED
