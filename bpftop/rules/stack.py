"""Rules about what the stack throws away on purpose or for want of room: checksums, tables, filters, XDP."""

from __future__ import annotations

from bpftop.model.findings import Severity
from bpftop.model.units import pct, si
from bpftop.rules.evidence import against, per_s
from bpftop.rules.link import level
from bpftop.rules.rule import Limit, NotEnoughData, Raised, Rule, RuleInput

FULL = 0.95
"""From here on a table is called full: entries are freed late, so it need not be to the last one."""

_CHECKSUMS = ("TcpInCsumErrors", "UdpInCsumErrors", "IcmpInCsumErrors", "Udp6InCsumErrors", "Icmp6InCsumErrors")
_CHECKSUM_REASONS = ("TCP_CSUM", "UDP_CSUM", "ICMP_CSUM", "SKB_CSUM")
_NO_WAY_BACK = ("TcpExtIPReversePathFilter", "IpExtInNoRoutes", "Ip6InNoRoutes")


def checksum_errors(seen: RuleInput) -> Raised | None:
    rates = {name: seen.counts(name) for name in _CHECKSUMS}
    total = sum(rates.values())
    if total <= seen.limit("warning"):
        return None
    named = ", ".join(f"{name} {per_s(rate)}" for name, rate in rates.items() if rate)
    return Raised(
        "warning",
        f"Bad checksums: {per_s(total)}",
        (against("InCsumErrors", total, seen.limits["warning"]), named, *_where(seen, _CHECKSUM_REASONS)),
    )


def _where(seen: RuleInput, reasons: tuple[str, ...]) -> tuple[str, ...]:
    """Evidence: the interfaces by which they came, where the kernel says so."""
    found = sorted(seen.here(reasons).items(), key=lambda row: -row[1])
    return (f"by interface: {', '.join(f'{name} {per_s(rate)}' for name, rate in found)}",) if found else ()


def conntrack_full(seen: RuleInput) -> Raised | None:
    signal = seen.reading("conntrack")
    entries, most = seen.level("conntrack", (), "entries"), seen.level("conntrack", (), "max_entries")
    events = seen.view.reading("conntrack_events")
    dropped = 0.0
    if events is not None:
        dropped = sum(seen.rate("conntrack_events", (), column) for column in ("drop", "early_drop"))
    part = entries / max(1, most)
    severity: Severity | None = "critical" if dropped > 0 else level(seen, part)
    if severity is None:
        return None
    growth = signal.per_sec((), "entries") or 0.0
    full = part >= FULL or seen.rate("conntrack_events", (), "early_drop") > 0 if dropped else False
    evidence = [
        f"{si(entries)} of {si(most)} entries, {pct(part)}; limit {pct(seen.limits[severity].raised)} "
        f"({seen.limits['warning'].source})",
        f"dropped {per_s(dropped)}; any is critical" if events is not None else "drops cannot be seen here",
    ]
    if growth > 0 and entries < most:
        evidence.append(f"grows by {per_s(growth)}: full in {(most - entries) / growth:.0f} s")
    return Raised(
        severity,
        _conntrack_title(full, dropped, part),
        tuple(evidence),
        f"new connections come faster than old ones end: {per_s(growth)} more" if growth > 0 else "",
    )


def _conntrack_title(full: bool, dropped: float, part: float) -> str:
    if not dropped:
        return f"Connection tracking fills: {pct(part)}"
    return f"Connection tracking {'is full' if full else 'fails'}: {per_s(dropped)} dropped"


def neighbour_table_full(seen: RuleInput) -> Raised | None:
    signal = seen.reading("neighbours")
    if signal.elapsed_ns is None:
        raise NotEnoughData
    rates = {str(key[0]): rate for key, rate in signal.rates("table_fulls") if rate}
    if sum(rates.values()) <= seen.limit("critical"):
        return None
    table = max(rates, key=lambda name: rates[name])
    levels = seen.view.reading("neighbour_entries")
    evidence = [against(f"table_fulls of {table}", rates[table], seen.limits["critical"])]
    if levels is not None:
        entries, most = levels.value((table,), "entries"), levels.value((table,), "gc_thresh3")
        evidence.append(f"{si(entries)} entries, at most {si(most)} (gc_thresh3)")
    return Raised(
        "critical",
        f"Neighbour table {table} is full: {per_s(rates[table])} could not be added",
        tuple(evidence),
        "more neighbours than gc_thresh3 allows: a large subnet, or somebody scans it",
    )


def reverse_path_filter(seen: RuleInput) -> Raised | None:
    rates = {name: seen.counts(name) for name in _NO_WAY_BACK}
    total = sum(rates.values())
    if total <= seen.limit("warning"):
        return None
    filtered = rates["TcpExtIPReversePathFilter"]
    return Raised(
        "warning",
        f"{per_s(total)} packets dropped: no route back to their source, or none to where they go",
        (
            against("IPReversePathFilter and InNoRoutes", total, seen.limits["warning"]),
            ", ".join(f"{name} {per_s(rate)}" for name, rate in rates.items() if rate),
            *_where(seen, ("IP_RPFILTER", "IP_INNOROUTES")),
        ),
        "rp_filter: answers would leave by another interface" if filtered > 0.5 * total else "",
    )


def xdp_exceptions(seen: RuleInput) -> Raised | None:
    label = seen.interface.label
    evidence = []
    total = 0.0
    for family, what in (("xdp_exceptions", "action"), ("xdp_redirect_errors", "errno")):
        signal = seen.reading(family, label)
        if signal.elapsed_ns is None:
            raise NotEnoughData
        for key, rate in signal.rates("packets"):
            if rate:
                total += rate
                evidence.append(f"program {key[1]}, {what} {key[2]}: {per_s(rate)}")
    if total <= seen.limit("warning"):
        return None
    return Raised(
        "warning",
        f"An XDP program drops by mistake: {per_s(total)}",
        (*evidence, against("xdp_exception and xdp_redirect_err", total, seen.limits["warning"])),
        "the program returned an action that is none, or a redirect that failed",
    )


def firewall_drops(seen: RuleInput) -> Raised | None:
    signal = seen.reading("drops")
    if signal.elapsed_ns is None:
        raise NotEnoughData
    rates = {str(key[0]): rate for key, rate in signal.rates("packets") if rate and key[1] == "NETFILTER_DROP"}
    total = sum(rates.values())
    if total < seen.limit("info"):
        return None
    where = ", ".join(f"{name or 'elsewhere'} {per_s(rate)}" for name, rate in rates.items())
    return Raised(
        "info",
        f"The firewall drops {per_s(total)}",
        (against("NETFILTER_DROP", total, seen.limits["info"]), where),
        "a rule of nftables or iptables says drop",
    )


RULES = (
    Rule(
        "checksum-errors", "stack", "netns", ("snmp",), ("warning",), "segments and datagrams with a bad checksum",
        checksum_errors, {"warning": Limit(1, None, "/s")},
        ("nstat -az TcpInCsumErrors UdpInCsumErrors IcmpInCsumErrors", "ethtool -k {iface} | grep checksum"),
    ),
    Rule(
        "conntrack-full", "stack", "netns", ("conntrack", "conntrack_events"), ("warning", "critical"),
        "entries against the maximum, and any drop for want of room", conntrack_full,
        {"warning": Limit(0.75, 0.70, "share", "node-mixin 75 %; netdata 90/85 %"),
         "critical": Limit(0.90, 0.85, "share")},
        ("conntrack -S", "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max"),
        explains=("firewall-drops",),
    ),
    Rule(
        "neighbour-table-full", "stack", "host", ("neighbours",), ("critical",),
        "neighbours that found no room in the table", neighbour_table_full, {"critical": Limit(0, 0, "/s")},
        ("ip -s neigh | wc -l", "sysctl net.ipv4.neigh.default.gc_thresh3 net.ipv6.neigh.default.gc_thresh3"),
    ),
    Rule(
        "reverse-path-filter", "stack", "netns", ("netstat",), ("warning",),
        "packets without a route back to their source, or without one to where they go", reverse_path_filter,
        {"warning": Limit(1, None, "/s")},
        ("nstat -az TcpExtIPReversePathFilter IpExtInNoRoutes Ip6InNoRoutes", "sysctl -a | grep rp_filter", "ip route"),
    ),
    Rule(
        "xdp-exceptions", "xdp", "interface", ("xdp_exceptions", "xdp_redirect_errors"), ("warning",),
        "XDP actions and redirects that failed", xdp_exceptions, {"warning": Limit(0, 0, "/s")},
        ("ip -d link show {iface}", "bpftool prog show", "bpftool net"),
    ),
    Rule(
        "firewall-drops", "stack", "netns", ("drops",), ("info",), "packets that a rule of the firewall dropped",
        firewall_drops, {"info": Limit(10, None, "/s")},
        ("nft list ruleset", "iptables -nvL"),
    ),
)  # fmt: skip
