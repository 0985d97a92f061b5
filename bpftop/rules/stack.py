"""Rules about the stack: bad checksums, full tables, filters, and XDP programs that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bpftop.model.findings import Severity
from bpftop.model.units import pct, si
from bpftop.rules.check_factories import Rates, Share, counter_rates, list_rates, rate_over_limit, share_over_limit
from bpftop.rules.evidence import compare, per_s
from bpftop.rules.rule import Headline, Limit, Rule, RuleInput

FULL = 0.95
"""Share from which a table is called full: entries are freed late, so some room is left even then."""

_CHECKSUMS = ("TcpInCsumErrors", "UdpInCsumErrors", "IcmpInCsumErrors", "Udp6InCsumErrors", "Icmp6InCsumErrors")
_NO_ROUTE = ("TcpExtIPReversePathFilter", "IpExtInNoRoutes", "Ip6InNoRoutes")


def rates_and_interfaces(*reasons: str) -> Callable[[RuleInput, Rates], Iterable[str]]:
    """Return a function that lists the rates, and the interfaces where the kernel dropped packets for these reasons."""

    def details(rule_input: RuleInput, rates: Rates) -> Iterable[str]:
        yield from list_rates(rule_input, rates)
        by_interface = sorted(rule_input.drops_by_interface(reasons).items(), key=lambda row: -row[1])
        if by_interface:
            yield f"by interface: {', '.join(f'{name} {per_s(rate)}' for name, rate in by_interface)}"

    return details


def _why_no_route(rule_input: RuleInput, rates: Rates) -> str:
    filtered = rates["TcpExtIPReversePathFilter"] > 0.5 * sum(rates.values())
    return "rp_filter: answers would leave by another interface" if filtered else ""


def conntrack(rule_input: RuleInput) -> Share:
    """Return the share of connection tracking's entries in use; any drop for want of room is critical."""
    entries, most = rule_input.level("conntrack", (), "entries"), rule_input.level("conntrack", (), "max_entries")
    share = entries / max(1, most)
    dropped, drops = 0.0, "drops cannot be seen here"
    if rule_input.snapshot.reading("conntrack_events") is not None:
        dropped = _untracked(rule_input)
        drops = f"dropped {per_s(dropped)}; any is critical"
    title, loses, full = f"Connection tracking fills: {pct(share)}", dropped >= rule_input.limit("dropped"), False
    if loses:
        full = share >= FULL or rule_input.rate("conntrack_events", (), "early_drop") > 0
        title = f"Connection tracking {'is full' if full else 'fails'}: {per_s(dropped)} dropped"
    evidence = [f"{si(entries)} of {si(most)} entries", drops]
    growth = rule_input.reading("conntrack").per_sec((), "entries") or 0.0
    if growth > 0 and entries < most:
        evidence.append(f"grows by {per_s(growth)}: full in {(most - entries) / growth:.0f} s")
    why = f"new connections come faster than old ones end: {per_s(growth)} more" if growth > 0 else ""
    if loses and not full:
        why = "the table has room: a helper refuses packets, entries clash with others, or memory is short"
    severity: Severity | None = "critical" if loses else None
    number = Headline("connections not tracked", "dropped", _untracked) if loses else None
    return Share(share, "entries of nf_conntrack_max", title, tuple(evidence), why, severity, number)


def _untracked(rule_input: RuleInput) -> float:
    """Return connections per second that found no room, and those that had to make room for others."""
    return sum(rule_input.rate("conntrack_events", (), column) for column in ("drop", "early_drop"))


def _table_fulls(rule_input: RuleInput) -> Rates:
    return {str(key[0]): rate for key, rate in rule_input.rates("neighbours", "table_fulls").items()}


def _neighbour_title(rule_input: RuleInput, rates: Rates) -> str:
    table = max(rates, key=lambda name: rates[name])
    return f"Neighbour table {table} is full: {per_s(rates[table])} could not be added"


def _neighbour_entries(rule_input: RuleInput, rates: Rates) -> Iterable[str]:
    reading = rule_input.snapshot.reading("neighbour_entries")
    if reading is None:
        return
    for table in rates:
        entries, most = reading.value((table,), "entries"), reading.value((table,), "gc_thresh3")
        yield f"{table}: {si(entries)} entries, at most {si(most)} (gc_thresh3)"


def _xdp_failures(rule_input: RuleInput) -> Rates:
    label = rule_input.interface.label
    return {
        f"program {key[1]}, {what} {key[2]}:": rate
        for family, what in (("xdp_exceptions", "action"), ("xdp_redirect_errors", "errno"))
        for key, rate in rule_input.rates(family, "packets", label).items()
    }


def conntrack_invalid(rule_input: RuleInput) -> Share | None:
    """Return the share of received packets that connection tracking finds invalid; None below the floor."""
    invalid = rule_input.rate("conntrack_events", (), "invalid")
    if invalid < rule_input.limit("packets"):
        return None
    share = invalid / max(invalid, rule_input.counts("IpInReceives", "Ip6InReceives"))
    return Share(
        share,
        "invalid, of IP packets received",
        f"Connection tracking finds {per_s(invalid)} packets invalid",
        (compare("invalid", invalid, rule_input.limits["packets"]),),
        "it sees one direction of their connections only, or sequence numbers, flags or checksums cannot be right",
    )


def _firewall_drops(rule_input: RuleInput) -> Rates:
    rule_input.rates("drops", "packets")  # raises where drop reasons cannot be read
    return rule_input.drops_by_interface(("NETFILTER_DROP",))


RULES = (
    Rule(
        "checksum-errors", "stack", "netns", ("snmp",), ("warning",), "segments and datagrams with a bad checksum",
        rate_over_limit(
            counter_rates(*_CHECKSUMS), counters="InCsumErrors", title="Bad checksums: {rate}",
            details=rates_and_interfaces("TCP_CSUM", "UDP_CSUM", "ICMP_CSUM", "SKB_CSUM")),
        {"warning": Limit(1, None, "/s")},
        ("nstat -az TcpInCsumErrors UdpInCsumErrors IcmpInCsumErrors", "ethtool -k {iface} | grep checksum"),
        explains=("conntrack-invalid",),
        woken_by=_CHECKSUMS,
    ),
    Rule(
        "conntrack-full", "stack", "netns", ("conntrack", "conntrack_events"), ("warning", "critical"),
        "entries against the maximum, and any drop for want of room", share_over_limit(conntrack),
        {"warning": Limit(0.75, 0.70, "share", "node-mixin 75 %; netdata 90/85 %"),
         "critical": Limit(0.90, 0.85, "share"),
         "dropped": Limit(0.2, 0.1, "/s", "a single one within the time over which rates are taken")},
        ("conntrack -S", "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max"),
        explains=("firewall-drops",),
        woken_by=("conntrack", "conntrack_events.drop", "conntrack_events.early_drop"),
    ),
    Rule(
        "neighbour-table-full", "stack", "host", ("neighbours",), ("critical",),
        "neighbours that found no room in the table",
        rate_over_limit(
            _table_fulls, counters="table_fulls", title=_neighbour_title, details=_neighbour_entries,
            why="more neighbours than gc_thresh3 allows: a large subnet, or somebody scans it"),
        {"critical": Limit(0, 0, "/s")},
        ("ip -s neigh | wc -l", "sysctl net.ipv4.neigh.default.gc_thresh3 net.ipv6.neigh.default.gc_thresh3"),
        woken_by=("neighbours.table_fulls",),
    ),
    Rule(
        "reverse-path-filter", "stack", "netns", ("netstat",), ("warning",),
        "packets without a route back to their source, or without one to where they go",
        rate_over_limit(
            counter_rates(*_NO_ROUTE), counters="IPReversePathFilter and InNoRoutes",
            title="{rate} packets dropped: no route back to their source, or none to where they go",
            details=rates_and_interfaces("IP_RPFILTER", "IP_INNOROUTES"), why=_why_no_route),
        {"warning": Limit(1, None, "/s")},
        ("nstat -az TcpExtIPReversePathFilter IpExtInNoRoutes Ip6InNoRoutes", "sysctl -a | grep rp_filter", "ip route"),
        woken_by=_NO_ROUTE,
    ),
    Rule(
        "xdp-exceptions", "xdp", "interface", ("xdp_exceptions", "xdp_redirect_errors"), ("warning",),
        "XDP actions and redirects that failed",
        rate_over_limit(
            _xdp_failures, counters="xdp_exception and xdp_redirect_err",
            title="An XDP program drops by mistake: {rate}",
            why="the program returned an action that is none, or a redirect that failed"),
        {"warning": Limit(0, 0, "/s")},
        ("ip -d link show {iface}", "bpftool prog show", "bpftool net"),
        woken_by=("xdp_exceptions", "xdp_redirect_errors"),
    ),
    Rule(
        "conntrack-invalid", "stack", "netns", ("conntrack_events", "snmp"), ("info", "warning"),
        "packets that fit no connection, as connection tracking sees them", share_over_limit(conntrack_invalid),
        {"info": Limit(0.02, 0.01, "share"),
         "warning": Limit(0.1, 0.05, "share", "late segments of closed connections stay below 1 %"),
         "packets": Limit(10, None, "/s", "a floor")},
        ("conntrack -S", "nft list ruleset", "ip route", "sysctl net.netfilter.nf_conntrack_tcp_be_liberal"),
        explains=("dropped-on-this-host", "firewall-drops", "tcp-retransmits", "loss-before-us"),
        woken_by=("conntrack_events.invalid",),
    ),
    Rule(
        "firewall-drops", "stack", "netns", ("drops",), ("info",), "packets that a rule of the firewall dropped",
        rate_over_limit(
            _firewall_drops, counters="NETFILTER_DROP", title="The firewall drops {rate}",
            why="a rule of nftables or iptables says drop", at_limit=True),
        {"info": Limit(10, None, "/s")},
        ("nft list ruleset", "iptables -nvL"),
        woken_by=("drops",),
    ),
)  # fmt: skip
