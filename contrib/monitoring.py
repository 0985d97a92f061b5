"""Writes the alerting rules, their tests, the dashboard and docs/metrics.md: `python -m contrib.monitoring`.

The sources are the tables of rules and of families.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bpftop.export.prometheus.metrics import metrics
from bpftop.rules.rule import Rule
from bpftop.rules.table import RULES

HERE = Path(__file__).parent
ALERTS, ALERTS_TEST, DASHBOARD, METRICS = (
    "prometheus/bpftop.rules.yml",
    "prometheus/bpftop.rules_test.yml",
    "grafana/bpftop.json",
    "../docs/metrics.md",
)
_HEAD = "# Made by contrib/monitoring.py from the table of rules; do not edit.\n"


STALLED: dict[str, Any] = {
    "alert": "BpftopStalled",
    "expr": "changes(bpftop_sample_time_seconds[5m]) == 0",
    "for": "2m",  # one sample alone has not changed yet
    "labels": {"severity": "warning"},
    "annotations": {"summary": "bpftop on {{ $labels.instance }} answers, but takes no samples"},
}
"""The alert on a stalled sampler, whose findings would stay as they were."""


def alerts() -> dict[str, Any]:
    """Return an alert per rule and severity from warning up. Durations and hysteresis are the exporter's task."""
    rules = [_alert(rule, severity) for rule in RULES for severity in rule.severities if severity != "info"]
    away = {
        "alert": "BpftopDown",
        "expr": 'up{job="bpftop"} == 0',
        "for": "2m",
        "labels": {"severity": "warning"},
        "annotations": {"summary": "bpftop on {{ $labels.instance }} does not answer"},
    }
    return {"groups": [{"name": "bpftop", "rules": [*rules, away, STALLED]}]}


def _alert(rule: Rule, severity: str) -> dict[str, Any]:
    where = " on {{ $labels.interface }}" if rule.scope == "interface" else ""
    return {
        "alert": _name(rule, severity),
        "expr": f'bpftop_finding_severity{{id="{rule.id}"}} == {_level(severity)}',
        "labels": {"severity": severity},
        "annotations": {
            "summary": f"{rule.id}{where} of {{{{ $labels.instance }}}}",
            "description": f"{rule.description}. Look with: {'; '.join(rule.next_steps)}".replace("{iface}", "IFACE"),
        },
    }


def _name(rule: Rule, severity: str) -> str:
    words = "".join(word.capitalize() for word in rule.id.split("-"))
    return f"Bpftop{words}{severity.capitalize()}"


def _level(severity: str) -> int:
    return {"warning": 2, "critical": 3}[severity]


def alerts_test() -> dict[str, Any]:
    """Return tests for promtool: every alert fires at its level, and none at 0."""
    labels = 'instance="web-17:9435", job="bpftop"'
    tests: list[dict[str, Any]] = []
    for rule in RULES:
        for severity in rule.severities:
            if severity == "info":
                continue
            interface = 'interface="eth0"' if rule.scope == "interface" else 'interface=""'
            series = f'bpftop_finding_severity{{id="{rule.id}", scope="{rule.scope}", {interface}, {labels}}}'
            tests.append(_test(rule, severity, series))
    tests.append(_stalled_test(f"bpftop_sample_time_seconds{{{labels}}}"))
    return {"rule_files": ["bpftop.rules.yml"], "evaluation_interval": "15s", "tests": tests}


def _test(rule: Rule, severity: str, series: str) -> dict[str, Any]:
    alert = _alert(rule, severity)
    values = {"instance": "web-17:9435", "interface": "eth0" if rule.scope == "interface" else ""}
    summary = alert["annotations"]["summary"]
    for label, value in values.items():
        summary = summary.replace(f"{{{{ $labels.{label} }}}}", value)
    interface = {"interface": "eth0"} if rule.scope == "interface" else {}
    fired = {
        "exp_labels": {
            "severity": severity, "id": rule.id, "scope": rule.scope, **interface, "instance": "web-17:9435",
            "job": "bpftop",
        },
        "exp_annotations": {"summary": summary, "description": alert["annotations"]["description"]},
    }  # fmt: skip
    return {
        "interval": "15s",
        "input_series": [{"series": series, "values": f"0x4 {_level(severity)}x4 0x4"}],
        "alert_rule_test": [
            {"eval_time": "30s", "alertname": alert["alert"], "exp_alerts": []},
            {"eval_time": "90s", "alertname": alert["alert"], "exp_alerts": [fired]},
            {"eval_time": "3m", "alertname": alert["alert"], "exp_alerts": []},
        ],
    }


def _stalled_test(series: str) -> dict[str, Any]:
    """Return a test of the stalled sampler: samples for ten minutes, then none."""
    summary = STALLED["annotations"]["summary"].replace("{{ $labels.instance }}", "web-17:9435")
    fired = {
        "exp_labels": {"severity": "warning", "instance": "web-17:9435", "job": "bpftop"},
        "exp_annotations": {"summary": summary},
    }
    return {
        "interval": "15s",
        "input_series": [{"series": series, "values": "0+15x40 600x40"}],
        "alert_rule_test": [
            {"eval_time": "3m", "alertname": STALLED["alert"], "exp_alerts": []},
            {"eval_time": "14m", "alertname": STALLED["alert"], "exp_alerts": []},
            {"eval_time": "18m", "alertname": STALLED["alert"], "exp_alerts": [fired]},
        ],
    }


PANELS: Mapping[str, tuple[tuple[str, str, str, str], ...]] = {
    "Verdict": (
        ("Findings", "state", 'max by (instance, id) (bpftop_finding_severity{instance=~"$instance"}) > 0',
         "{{instance}} {{id}}"),
        ("Blind checks", "short", 'bpftop_rules_blind{instance=~"$instance"}', "{{instance}}"),
    ),
    "LOST": (
        ("Backlog drops", "pps",
         'sum by (instance) (rate(bpftop_softnet_dropped_total{instance=~"$instance"}[$__rate_interval]))',
         "{{instance}}"),
        ("Listen overflows and UDP buffer errors", "pps",
         'sum by (instance, counter) (rate({__name__=~"bpftop_(snmp|snmp6|netstat)_total", instance=~"$instance", '
         'counter=~"TcpExtListenOverflows|TcpExtListenDrops|UdpRcvbufErrors|Udp6RcvbufErrors"}[$__rate_interval]))',
         "{{instance}} {{counter}}"),
        ("Drops by reason", "pps",
         'sum by (reason) (rate(bpftop_drop_packets_total{instance=~"$instance"}[$__rate_interval]))', "{{reason}}"),
    ),
    "RX and TX": (
        ("Received packets by protocol", "pps",
         'sum by (protocol) '
         '(rate(bpftop_protocol_packets_total{instance=~"$instance", direction="rx"}[$__rate_interval]))',
         "{{protocol}}"),
        ("Received bits by protocol", "bps",
         '8 * sum by (protocol) '
         '(rate(bpftop_protocol_bytes_total{instance=~"$instance", direction="rx"}[$__rate_interval]))',
         "{{protocol}}"),
        ("Sent packets by protocol", "pps",
         'sum by (protocol) '
         '(rate(bpftop_protocol_packets_total{instance=~"$instance", direction="tx"}[$__rate_interval]))',
         "{{protocol}}"),
        ("TCP flags received", "pps",
         'sum by (flag) (rate(bpftop_tcp_flag_packets_total{instance=~"$instance", direction="rx"}[$__rate_interval]))',
         "{{flag}}"),
    ),
    "CPUs": (
        ("Received packets by CPU", "pps",
         'sum by (instance, cpu) '
         '(rate(bpftop_cpu_packets_total{instance=~"$instance", direction="rx"}[$__rate_interval]))',
         "{{instance}} CPU {{cpu}}"),
    ),
    "Path": (
        ("Connection tracking, share used", "percentunit",
         'bpftop_conntrack_entries{instance=~"$instance"} / bpftop_conntrack_max_entries{instance=~"$instance"}',
         "{{instance}}"),
    ),
    "bpftop itself": (
        ("What bpftop costs, CPU", "percentunit",
         'rate(bpftop_self_cpu_seconds_total{instance=~"$instance"}[$__rate_interval])',
         "{{instance}}"),
    ),
}  # fmt: skip
"""Block of the screen -> its panels: title, unit, expression, legend."""


def dashboard() -> dict[str, Any]:
    """Return a dashboard for Grafana 10 and newer: a row per block of the screen, a variable for the machines."""
    source = {"type": "prometheus", "uid": "${source}"}
    panels: list[dict[str, Any]] = []
    top = 0
    for block, members in PANELS.items():
        place = {"h": 1, "w": 24, "x": 0, "y": top}
        panels.append({"id": len(panels) + 1, "title": block, "type": "row", "gridPos": place, "panels": []})
        top += 1
        for number, (title, unit, expression, legend) in enumerate(members):
            alone = number % 2 == 0 and number == len(members) - 1
            place = {"h": 8, "w": 24 if alone else 12, "x": 12 * (number % 2), "y": top + 8 * (number // 2)}
            panels.append(
                {
                    "id": len(panels) + 1,
                    "title": title,
                    "type": "timeseries",
                    "datasource": source,
                    "gridPos": place,
                    "fieldConfig": {"defaults": {"unit": unit if unit != "state" else "short"}, "overrides": []},
                    "targets": [{"refId": "A", "expr": expression, "legendFormat": legend, "datasource": source}],
                }
            )
        top += 8 * ((len(members) + 1) // 2)
    return {
        "title": "bpftop",
        "uid": "bpftop",
        "schemaVersion": 39,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "templating": {
            "list": [
                {"name": "source", "type": "datasource", "query": "prometheus"},
                {
                    "name": "instance",
                    "type": "query",
                    "datasource": source,
                    "query": "label_values(bpftop_build_info, instance)",
                    "multi": True,
                    "includeAll": True,
                    "refresh": 2,
                },
            ]
        },
        "panels": panels,
    }


def metrics_page() -> str:
    """Return docs/metrics.md, a row per metric."""
    rows = [
        f"| `{metric.name}{'_total' if metric.kind == 'counter' else ''}` | {metric.kind} "
        f"| {', '.join(metric.labels) or '-'} | {metric.help} |"
        for metric in metrics(None)
    ]
    head = ["| name | type | labels | what |", "|---|---|---|---|"]
    return "\n".join([*_METRICS_HEAD, *head, *rows]) + "\n"


_METRICS_HEAD = (
    "<!-- Made by contrib/monitoring.py; do not edit. -->",
    "# Metrics",
    "",
    "What `bpftop export` serves, and what `--format openmetrics` writes. What cannot be read has no series.",
    "",
)


def texts() -> dict[str, str]:
    """Return the contents of all files: path below contrib -> text."""
    return {
        ALERTS: _HEAD + yaml.safe_dump(alerts(), sort_keys=False, width=120),
        ALERTS_TEST: _HEAD + yaml.safe_dump(alerts_test(), sort_keys=False, width=120),
        DASHBOARD: json.dumps(dashboard(), indent=2) + "\n",
        METRICS: metrics_page(),
    }


def main() -> None:
    """Write docs/metrics.md, the alerts and the dashboard."""
    for name, text in texts().items():
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()
