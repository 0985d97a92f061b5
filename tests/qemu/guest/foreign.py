"""Somebody else's XDP program on an interface: its verdicts are counted, and what it does wrong, and it stays."""

from __future__ import annotations

from typing import Any

from tests.qemu.guest.bpftop import HAS_TCX, Moment, Watch, ip
from tests.qemu.guest.wire import FAR, NEAR, Kind, send, veth

OBJECT = "tests/qemu/guest/foreign.bpf.o"
ABORTED, DROP, PASS, REDIRECT, ILLEGAL = 0, 1, 2, 4, 77
TIMES = {PASS: (7, 3), DROP: (5, 2), ABORTED: (4, 0), REDIRECT: (0, 6), ILLEGAL: (1, 8)}
"""Verdict -> how many frames ask for it on each CPU."""
NAMES = {PASS: "XDP_PASS", DROP: "XDP_DROP", ABORTED: "XDP_ABORTED", REDIRECT: "XDP_REDIRECT", ILLEGAL: "77"}


def verdicts_are_counted() -> str:
    """Count verdicts of another program by fexit, on each CPU (Linux 5.5, and only with the JIT compiler)."""
    with veth():
        ip(f"link set dev {NEAR} xdpdrv object {OBJECT} section xdp")
        with Watch(NEAR) as watch:
            rx = "tcx" if HAS_TCX else "none"
            assert watch.first.hooks(NEAR)[0] == rx, watch.first.line
            before = _loaded(watch)
            send(FAR, tuple(Kind(_frame(verdict), 260, times) for verdict, times in TIMES.items()))
            after = watch.settled()
            ip(f"link set dev {NEAR} xdpdrv off")
            gone = watch.settled()
    assert not any(sum(cells) for cells in _verdicts(before).values()), before.line
    verdicts = _verdicts(after)
    for verdict, times in TIMES.items():
        name = NAMES[verdict]
        assert name in verdicts, (name, verdicts)
        assert verdicts.pop(name)[:2] == list(times), (name, after.line)
    assert not verdicts, verdicts
    assert _errors(after, "xdp_exceptions") == {NAMES[ABORTED]: 4, NAMES[ILLEGAL]: 9}, after.line
    assert _errors(after, "xdp_redirect_errors") == {"EINVAL": 6}, after.line
    assert not _verdicts(gone), gone.line
    assert '"obey"' in watch.said, watch.said
    return watch.said


def _frame(verdict: int) -> bytes:
    return b"\xff" * 6 + b"\2" + bytes(5) + b"\x88\xb5" + bytes((verdict,)) + bytes(45)


def _loaded(watch: Watch) -> Moment:
    """Return the first sample that has all readings: their programs are loaded in threads of their own."""
    for _ in range(120):
        moment = watch.next()
        families = ("xdp_verdicts", "xdp_exceptions", "xdp_redirect_errors")
        if all(f"{family}/{NEAR}" in moment.sample["readings"] for family in families):
            return moment
    raise AssertionError(f"no verdicts: {moment.sample['unavailable']}")


def _verdicts(moment: Moment) -> dict[str, list[int]]:
    return {key[1]: [cell or 0 for cell in cells] for key, cells in moment.rows("xdp_verdicts", NEAR).items()}


def _errors(moment: Moment, family: str) -> dict[Any, int | None]:
    return {key[1]: cells[0] for key, cells in moment.rows(family, NEAR).items()}
