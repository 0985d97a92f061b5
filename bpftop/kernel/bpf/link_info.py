"""The kernel's ``struct bpf_link_info``, by offsets: the build's headers may be older than a type of link.

Source: include/uapi/linux/bpf.h of Linux 6.18. All fields are little endian, as on every machine that bpftop runs on.
"""

from __future__ import annotations

from struct import unpack_from

from bpftop.fields import frozen

INFO_BYTES = 128
NAME_BYTES = 256
_UNION = 16

TYPES = (
    "unspec", "raw_tracepoint", "tracing", "cgroup", "iter", "netns", "xdp", "perf_event", "kprobe_multi", "struct_ops",
    "netfilter", "tcx", "uprobe_multi", "netkit", "sockmap",
)  # fmt: skip
"""enum bpf_link_type, by number."""

PERF_TYPES = ("unspec", "uprobe", "uretprobe", "kprobe", "kretprobe", "tracepoint", "event")
"""enum bpf_perf_event_type, by number."""


@frozen
class LinkInfo:
    """A link: where a program is attached. Fields that the type of link has not are 0 or empty.

    ``type`` is a name of TYPES, or the number of a newer type. ``attach_type`` is a number of enum bpf_attach_type.
    ``name`` is the tracepoint, the probed function or the kind of iterator; ``event`` a name of PERF_TYPES.
    """

    link_id: int
    prog_id: int
    type: str
    attach_type: int = 0
    ifindex: int = 0
    cgroup_id: int = 0
    netns_ino: int = 0
    map_id: int = 0
    name: str = ""
    event: str = ""
    count: int = 0


def name_field(info: bytes) -> int | None:
    """Return the offset at which the kernel takes the address and the size of a buffer for a name; None: no name."""
    link_type = unpack_from("<I", info)[0]
    if link_type in (1, 4):
        return _UNION
    if link_type == 7 and 1 <= unpack_from("<I", info, _UNION)[0] <= 5:
        return _UNION + 8
    return None


def parse_link_info(info: bytes, name: str) -> LinkInfo:
    """Return the link of the first INFO_BYTES of its struct; ``name`` is the text at ``name_field``."""
    number, link_id, prog_id = unpack_from("<III", info)
    kind = TYPES[number] if number < len(TYPES) else str(number)
    first, second = unpack_from("<II", info, _UNION)
    wide = unpack_from("<Q", info, _UNION)[0]
    if kind in ("xdp", "tcx", "netkit"):
        return LinkInfo(link_id, prog_id, kind, ifindex=first, attach_type=0 if kind == "xdp" else second)
    if kind == "cgroup":
        return LinkInfo(link_id, prog_id, kind, cgroup_id=wide, attach_type=unpack_from("<I", info, _UNION + 8)[0])
    if kind == "netns":
        return LinkInfo(link_id, prog_id, kind, netns_ino=first, attach_type=second)
    if kind == "tracing":
        return LinkInfo(link_id, prog_id, kind, attach_type=first)
    if kind in ("struct_ops", "sockmap"):
        return LinkInfo(link_id, prog_id, kind, map_id=first, attach_type=second if kind == "sockmap" else 0)
    if kind in ("kprobe_multi", "uprobe_multi"):
        at = _UNION + (8 if kind == "kprobe_multi" else 32)
        return LinkInfo(link_id, prog_id, kind, count=unpack_from("<I", info, at)[0])
    if kind == "perf_event":
        event = PERF_TYPES[first] if first < len(PERF_TYPES) else str(first)
        return LinkInfo(link_id, prog_id, kind, event=event, name=name)
    return LinkInfo(link_id, prog_id, kind, name=name)
