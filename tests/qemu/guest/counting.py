"""Frames in, counts out: exactly, on every CPU, with the hooks that this kernel has."""

from __future__ import annotations

import json

from tests.qemu.guest.bpftop import HAS_BATCH, HAS_FRAGS, HAS_TCX, INTERVAL_S, Moment, Watch, bpftop, ip
from tests.qemu.guest.wire import FAR, KINDS, NEAR, Kind, expected, nothing_left, send, veth

TX = "tcx" if HAS_TCX else "none"
JUMBO = (Kind(b"\xff" * 6 + b"\2" + bytes(5) + b"\x88\xb5" + bytes(7986), 260, (11, 2)),)


def counts_natively() -> str:
    """Received by native XDP, sent by TCX, and where there is no TCX by rtnetlink's totals; a kill leaves nothing."""
    with veth():
        with Watch(NEAR, FAR) as watch:
            assert watch.first.hooks(NEAR) == watch.first.hooks(FAR) == ("xdp native", TX), watch.first.line
            _exact(watch.first, watch, FAR, NEAR)
            _exact(watch.settled(), watch, NEAR, FAR)
            assert "xdp" in ip(f"-d link show {NEAR}")
            watch.kill()
        nothing_left()
    assert "until bpftop ends" in watch.said, watch.said  # what native XDP changes on a veth
    assert ("TCX" in watch.said) != HAS_TCX, watch.said
    return f"exact both ways, TX by {TX}; {watch.said or 'no notices'}"


def counts_jumbo_frames() -> str:
    """Frames larger than a page take the program for fragments; before Linux 5.18 there is no native XDP for them."""
    with veth(mtu=9000), Watch(NEAR) as watch:
        hooks = watch.first.hooks(NEAR)
        rx = "xdp native" if HAS_FRAGS else TX
        assert hooks == (rx, TX), watch.first.line
        if rx != "none":
            _exact(watch.first, watch, FAR, NEAR, JUMBO)
    assert rx != "none" or watch.said, "rtnetlink totals only, and not a word about it"
    return f"{hooks}; {watch.said or 'no notices'}"


def snapshot_of_lo() -> str:
    """Return one document; on a kernel without TCX it has totals only."""
    document = json.loads(bpftop("snapshot", "lo", "--format", "json", "-i", str(INTERVAL_S)))
    (interface,) = document["interfaces"]
    hooks = {direction: hook["hook"] for direction, hook in interface["hooks"].items()}
    assert hooks == {"rx": TX, "tx": TX}, document
    return str(hooks)


def _exact(before: Moment, watch: Watch, source: str, sink: str, kinds: tuple[Kind, ...] = KINDS) -> None:
    """Frames from ``source`` are what ``sink`` received, CPU by CPU, and what ``source`` sent."""
    send(source, kinds)
    after = watch.settled()
    assert after.counted("protocols", sink, "rx") == expected(kinds), after.line
    packets = sum(sum(kind.times) for kind in kinds)
    rows = after.rows("protocols", sink, "rx").values()
    possible = after.sample["possible_cpus"]
    per_cpu = [sum(cells[cpu] or 0 for cells in rows) for cpu in range(possible)]
    assert per_cpu == [sum(kind.times[cpu] for kind in kinds) if cpu < 2 else 0 for cpu in range(possible)], per_cpu
    assert sum(one for one, _ in after.counted("joint", sink, "rx").values()) == packets, after.line
    batch = {one["hooks"]["rx"]["batch"] for one in after.sample["interfaces"]}
    assert batch == {HAS_BATCH}, batch
    if source not in {one["label"] for one in after.sample["interfaces"]}:
        return
    if HAS_TCX:
        assert after.counted("protocols", source, "tx") == expected(kinds), after.line
    first, last = (one.cell("tx_packets", "links", source) for one in (before, after))
    assert first is not None, before.line
    assert last == first + packets, (first, last)
