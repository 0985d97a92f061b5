"""The machine as /proc and /sys describe it, and as one that describes nothing."""

from __future__ import annotations

from pathlib import Path

from bpftop.measure.machine import machine


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_described(tmp_path: Path) -> None:
    put(tmp_path / "proc/sys/net/core/bpf_jit_enable", "1\n")
    put(tmp_path / "proc/sys/net/core/bpf_jit_harden", "0\n")
    put(
        tmp_path / "proc/cpuinfo", "processor\t: 0\nmodel name\t: A CPU: the 2nd\nprocessor\t: 1\nmodel name\t: other\n"
    )
    put(tmp_path / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n")
    for name, said in (("meltdown", "Not affected"), ("spectre_v2", "Mitigation: Retpolines; IBPB")):
        put(tmp_path / "sys/devices/system/cpu/vulnerabilities" / name, f"{said}\n")
    put(tmp_path / "etc/machine-id", "0123456789abcdef\n")
    found = machine(8, str(tmp_path))
    assert (found.cpu_model, found.possible_cpus, found.jit, found.governor) == ("A CPU: the 2nd", 8, "on", "powersave")
    assert found.mitigations == {"spectre_v2": "Mitigation: Retpolines; IBPB"}
    assert found.machine_id == machine(8, str(tmp_path)).machine_id
    assert "0123456789abcdef" not in found.machine_id


def test_not_described(tmp_path: Path) -> None:
    found = machine(2, str(tmp_path))
    assert (found.cpu_model, found.jit, found.jit_hardening, found.governor) == (None, None, None, None)
    assert found.mitigations == {}
    assert found.machine_id
