"""Attachments that bpftop makes only on request."""

from __future__ import annotations

from tests.qemu.guest.bpftop import HAS_TCX, Watch
from tests.qemu.guest.wire import FAR, NEAR, expected, nothing_left, send, veth


def counts_on_request() -> str:
    """Generic XDP and clsact count the same frames and are gone afterwards, on kernels without TCX too."""
    seen = []
    for attach, hooks in (("generic", ("xdp generic", "tcx" if HAS_TCX else "none")), ("clsact", ("clsact", "clsact"))):
        with veth():
            with Watch(NEAR, "--attach", attach) as watch:
                assert watch.first.hooks(NEAR) == hooks, watch.first.line
                send(FAR)
                after = watch.settled()
                assert after.counted("protocols", NEAR, "rx") == expected(), after.line
            seen.append(f"{hooks[0]}: {watch.said}")
            nothing_left()
    return "; ".join(seen)
