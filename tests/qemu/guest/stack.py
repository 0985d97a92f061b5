"""Devices upon devices, of kinds that many kernels lack: no packet is counted twice in the total."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bpftop.model.derive import derive_snapshot
from bpftop.store.encoding.sample_lines import LineReader
from tests.qemu.guest.bpftop import HAS_TCX, Watch, ip
from tests.qemu.guest.wire import KINDS, send

LEGS = ("v0", "v2")
FAR = ("v1", "v3")
ABOVE = ("bd0", "bd0.7", "mv0", "gre1", "gre2", "wg0", "vx0")
LEFT_OUT: Mapping[str, str] = {
    "v0": "part of bd0",
    "v2": "part of bd0",
    "bd0.7": "carried by bd0",
    "mv0": "carried by bd0.7, bd0",
    "gre1": "carried by bd0",
    "gre2": "a tunnel: its packets travel inside those of bd0",
    "wg0": "a tunnel: its packets travel inside those of bd0",
    "vx0": "carried by bd0",
}


def counts_once() -> str:
    """Watch a bond of two legs with a VLAN, a macvlan and tunnels above: the total equals the bond's count."""
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")  # the kernel itself sends nothing
    for leg, far in zip(LEGS, FAR, strict=True):
        ip(f"link add {leg} type veth peer name {far}")
    ip("link add bd0 type bond mode balance-rr miimon 100")
    for leg, far in zip(LEGS, FAR, strict=True):
        ip(f"link set {leg} master bd0")
        ip(f"link set {far} up")
    ip("link set bd0 up")
    ip("address add 198.18.0.1/24 dev bd0")
    for words in (
        "bd0.7 link bd0 type vlan id 7",
        "mv0 link bd0.7 type macvlan mode bridge",
        "gre1 type gretap local 198.18.0.1 remote 198.18.0.2 dev bd0",
        "gre2 type gretap local 198.18.0.1 remote 198.18.0.3",
        "wg0 type wireguard",
        "vx0 type vxlan id 1 dstport 4789 remote 198.18.0.2 dev bd0",
    ):
        ip(f"link add {words}")
    for name in ABOVE[1:]:
        ip(f"link set {name} up")
    try:
        return _watched()
    finally:
        for name in (*reversed(ABOVE), *LEGS):
            ip(f"link delete {name}")


def _watched() -> str:
    with Watch(*LEGS, *ABOVE) as watch:
        for far in FAR:
            send(far)
        after = derive_snapshot(None, LineReader().read(watch.settled().line.encode()))
    assert dict(after.left_out) == LEFT_OUT, after.left_out
    received = {each.label: each.rx.totals.packets or 0 for each in after.interfaces}
    sent = 2 * sum(sum(kind.times) for kind in KINDS)
    assert after.total.rx.totals.packets == received["bd0"] >= sent, received
    if HAS_TCX:  # else the bond has rtnetlink's totals, which have frames that the kernel itself sends meanwhile
        assert received["v0"] + received["v2"] == received["bd0"], received
    assert received["bd0.7"] == 2 * sum(KINDS[4].times), received
    return f"{sent} frames: {received}"
