"""Features of virtio_net devices, as the kernel writes them: a digit for each bit, the lowest first."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpftop.collect.attach.fact_gathering import gather
from bpftop.kernel.net import virtio
from bpftop.kernel.net.netdev import Device, Netdev
from bpftop.kernel.net.virtio import host_fixes_offloads
from tests.bpf.devices import Lab


def features(*bits: int) -> str:
    return "".join("1" if bit in bits else "0" for bit in range(64)) + "\n"


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("1100010110111011000000000000010010000000000000000000000000000000\n", True),  # Firecracker
        (features(0, 1, 2, 5, 7, 8, 10, 11), False),  # the guest can switch them off
        (features(0, 5, 11, 12), False),  # QEMU with -netdev user: nothing to switch off
        (features(0, 5, 54), True),
        ("", False),
    ],
)
def test_offloads_that_the_host_fixes(text: str, fixed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtio, "DEVICES", tmp_path)
    (tmp_path / "virtio2").mkdir()
    (tmp_path / "virtio2" / "features").write_text(text)
    assert host_fixes_offloads("virtio2") is fixed
    assert host_fixes_offloads("virtio3") is False


@pytest.mark.bpf
def test_fixed_offloads_are_no_native_xdp(
    lab: Lab, netdev: Netdev, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtio, "DEVICES", tmp_path)
    (tmp_path / "virtio2").mkdir()
    lab.veth()
    device = Device(**{**vars(netdev.find("v0")), "parent_bus": "virtio", "parent": "virtio2"})
    for bits, native in ((features(1), False), (features(1, 2), True)):
        (tmp_path / "virtio2" / "features").write_text(bits)
        assert gather(netdev, device).native is native
