"""The counting programs in all variants: older verifiers refuse code that newer ones understand."""

from __future__ import annotations

from contextlib import closing
from itertools import product

from bpftop.kernel.bpf.object import BpfObject
from tests.qemu.guest.bpftop import HAS_FRAGS


def all_load() -> str:
    """Each program loads for both directions and link layers: without flows, with all flows, with sampled flows."""
    programs = ("count_xdp", "count_tc", *(("count_xdp_frags",) if HAS_FRAGS else ()))
    variants = list(product(("counter", "flows", "thin_flows"), programs, (0, 1), (0, 1)))
    for name, program, count_tx, link_is_ip in variants:
        with closing(BpfObject(name, program, {"count_tx": count_tx, "link_is_ip": link_is_ip})):
            pass
    return f"{len(variants)} variants load"
