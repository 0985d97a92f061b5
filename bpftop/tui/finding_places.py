"""Map each finding to the pane, filter and row that show its cause."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.model.findings import Finding
from bpftop.rules.table import BY_ID
from bpftop.tui.moment import Place
from bpftop.tui.widgets.line import clean

_FLOWS = frozenset({"syn-flood", "port-scan", "rst-storm", "udp-amplification", "udp-flood"})
"""Checks whose cause is in the flows, beside all checks of the stage "traffic"."""

_STAGES: Mapping[str, str] = {
    "rx-crc-errors": "wire", "rx-ring-overflow": "ring", "backlog-overflow": "backlog", "softirq-squeeze": "backlog",
    "conntrack-full": "conntrack", "firewall-drops": "firewall", "reverse-path-filter": "rpf",
    "accept-queue-overflow": "listen", "udp-socket-overflow": "udp_sockets", "udp-port-unreachable": "udp_ports",
    "tcp-memory": "memory", "checksum-errors": "checksums", "neighbour-table-full": "neighbour",
    "no-route-out": "ip_out_routes", "tx-drops": "tx_drops", "link-saturated": "qdisc",
    "xdp-exceptions": "xdp_exceptions", "xdp-drops": "xdp_drops", "neighbour-unresolved": "neighbour_silent",
    "unknown-protocol": "ip_unknown", "vxlan-unknown-vni": "tunnels", "ipsec-drops": "tunnels",
}  # fmt: skip
"""Check -> the stage of the path that its packets die at."""


def place_of(finding: Finding) -> Place:
    """Return the pane, or the stage of the path, that shows the cause of a finding."""
    title, rule = clean(finding.title), BY_ID.get(finding.id)
    stage = rule.stage if rule else ""
    if finding.id in _FLOWS or stage == "traffic":
        return Place("flows", title)
    if stage == "cpu":
        return Place("cpus", title)
    return Place("path", title, row=_STAGES.get(finding.id, ""))
