"""Made-up BPF programs and maps: one of each kind of row that the panes tell apart, one with a hostile name."""

from __future__ import annotations

from bpftop.model.sample import Key, Reading
from tests.samples import reading

PROGRAMS: dict[Key, tuple[float, int, tuple[int, int, int]]] = {
    ("41", "xdp", "count_xdp_frags", "xdp native eth0", "bpftop[900]"): (310_000, 95, (1931, 9120, 24_576)),
    ("88", "sched_cls", "cil_from_netdev", "tcx ingress eth0", "cilium-agent[77] in docker 0123456789ab"): (
        300_000, 640, (5_210, 30_100, 65_536)
    ),
    ("90", "cgroup_skb", "sd_fw_egress", "cgroup egress /system.slice/nginx.service", ""): (0, 0, (8, 120, 4_096)),
    ("91", "tracing", "ev\x1b[31mil", "fentry", "trace\x07r[5]"): (1_200, 2_400, (220, 1_300, 4_096)),
}  # fmt: skip
"""Key -> runs per second, ns per run, and sizes."""

MAPS: dict[Key, tuple[int, int, int]] = {
    ("7", "hash", "cilium_ct4", "cilium-agent[77] in docker 0123456789ab"): (61_000, 100_000, 12_000_000),
    ("8", "lru_hash", "flows", "bpftop[900]"): (65_536, 65_536, 42_000_000),
    ("9", "percpu_array", "counters", "bpftop[900]"): (4, 4, 38_232),
    ("12", "ringbuf", "ev\x1b[31ments", ""): (0, 262_144, 270_000),
}
"""Key -> entries, most entries, memory."""

ADDED_NS = 41


def bpf_readings(offset_s: float, mono_ns: int) -> dict[str, Reading]:
    """Return the families of BPF objects at a moment."""
    runs = {
        key: (round(per_sec * offset_s), round(per_sec * offset_s * (each_ns + ADDED_NS)), 0)
        for key, (per_sec, each_ns, _) in PROGRAMS.items()
    }
    grown = {key: (entries + round(50 * offset_s), *rest) for key, (entries, *rest) in MAPS.items() if key[1] == "hash"}
    return {
        "bpf_programs": reading("bpf_programs", runs, read_ns=mono_ns),
        "bpf_program_sizes": reading(
            "bpf_program_sizes", {key: sizes for key, (_, _, sizes) in PROGRAMS.items()}, read_ns=mono_ns
        ),
        "bpf_maps": reading("bpf_maps", {**MAPS, **grown}, read_ns=mono_ns),
        "bpf_statistics": reading("bpf_statistics", {(): (1, ADDED_NS * 1000)}, read_ns=mono_ns),
    }
