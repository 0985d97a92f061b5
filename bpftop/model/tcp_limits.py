"""Name the limits of a TCP connection: the numbers in the column ``limit`` of flow_sockets, and their words."""

from __future__ import annotations

from collections.abc import Mapping

APPLICATION, RECEIVE_WINDOW, SEND_BUFFER, NETWORK = 1, 2, 3, 4

LIMITS: Mapping[int, str] = {
    APPLICATION: "application",
    RECEIVE_WINDOW: "receive window",
    SEND_BUFFER: "send buffer",
    NETWORK: "network",
}
"""``application``: it has not more to send. ``network``: the congestion window."""
