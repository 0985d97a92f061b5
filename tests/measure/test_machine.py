"""Description of the machine from /proc and /sys, and without them."""

from __future__ import annotations

from pathlib import Path

from bpftop.measure.machine import machine


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_described_machine(tmp_path: Path) -> None:
    put(tmp_path / "proc/sys/net/core/bpf_jit_enable", "1\n")
    put(tmp_path / "proc/sys/net/core/bpf_jit_harden", "0\n")
    put(
        tmp_path / "proc/cpuinfo", "processor\t: 0\nmodel name\t: A CPU: the 2nd\nprocessor\t: 1\nmodel name\t: other\n"
    )
    put(tmp_path / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n")
    for name, state in (("meltdown", "Not affected"), ("spectre_v2", "Mitigation: Retpolines; IBPB")):
        put(tmp_path / "sys/devices/system/cpu/vulnerabilities" / name, f"{state}\n")
    put(tmp_path / "etc/machine-id", "0123456789abcdef\n")
    facts = machine(8, str(tmp_path))
    assert (facts.cpu_model, facts.possible_cpus, facts.jit, facts.governor) == ("A CPU: the 2nd", 8, "on", "powersave")
    assert facts.mitigations == {"spectre_v2": "Mitigation: Retpolines; IBPB"}
    assert facts.machine_id == machine(8, str(tmp_path)).machine_id
    assert "0123456789abcdef" not in facts.machine_id


def test_an_undescribed_machine(tmp_path: Path) -> None:
    facts = machine(2, str(tmp_path))
    assert (facts.cpu_model, facts.jit, facts.jit_hardening, facts.governor) == (None, None, None, None)
    assert facts.mitigations == {}
    assert facts.machine_id
