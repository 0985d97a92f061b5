"""Loss counters of drivers: the chosen names, and the counters of a veth."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

import pytest

from bpftop.collect.collector import Unavailable
from bpftop.collect.devices.driver_counters import LOSS, Nic
from bpftop.kernel.net.ethtool import Ethtool
from bpftop.kernel.net.netdev import Netdev
from bpftop.model.sample import Interface
from tests.bpf.devices import Lab
from tests.collect.moments import ETH0, signal

# From the drivers virtio_net, veth, ixgbe, i40e, ice, igb, mlx5, bnxt, ena, tg3, vmxnet3, hv_netvsc.
LOSSES = (
    *("rx_drops", "rx0_drops", "tx_tx_timeouts", "rx_queue_0_drops", "rx_queue_0_xdp_drops", "tx_xdp_tx_errors"),
    *("rx_missed_errors", "rx_no_dma_resources", "rx_no_buffer_count", "alloc_rx_buff_failed", "rx_crc_errors.nic"),
    *("rx_over_errors", "rx_fifo_errors", "fdir_overflow", "rx_long_length_errors", "port.rx_undersize", "rx_oversize"),
    *("rx_out_of_buffer", "rx_discards_phy", "rx_wqe_err", "rx_buff_alloc_err", "rx_csum_bad", "tx_queue_dropped"),
    *("rx_l2_overrun", "bad_csum", "rx_jabbers", "rx_fragments_truncated", "tx_aborted_errors", "collisions"),
    *("drv dropped tx total", "pkts rx OOB fail", "no_memory", "rx_symbol_err_phy", "RxErrors", "lost_frames"),
)
NO_LOSSES = (
    *("rx_packets", "tx_bytes", "rx_kicks", "peer_ifindex", "rx_queue_0_xdp_packets", "tx_queue_0_xdp_xmit"),
    *("rx_interrupts", "tx_deferred_ok", "tx_multi_transmissions", "tx_recover", "rx_csum_offload_good"),
    *("hw_interrupts", "rx_pause", "link_up", "rx_64_bytes", "tx_lpi_entries", "rx_cache_full"),
)


@pytest.mark.parametrize("name", LOSSES)
def test_names_of_losses(name: str) -> None:
    assert LOSS.search(name)


@pytest.mark.parametrize("name", NO_LOSSES)
def test_names_of_other_counters(name: str) -> None:
    assert not LOSS.search(name)


class Driver(Ethtool):
    """A fake driver with the counters of the test."""

    def __init__(self, counters: dict[str, int], refuses: int = 0) -> None:
        self.counters, self.refuses, self.named = counters, refuses, 0

    def counter_names(self, name: str) -> tuple[str, ...]:
        if self.refuses:
            raise OSError(self.refuses, os.strerror(self.refuses))
        self.named += 1
        return tuple(self.counters)

    def counter_values(self, name: str, count: int) -> Sequence[int] | None:
        return tuple(self.counters.values()) if count == len(self.counters) else None


def test_zeros_are_left_out_and_still_known() -> None:
    driver = Driver({"rx_packets": 9, "rx_missed_errors": 0, "rx_no_dma_resources": 4})
    collector = Nic(driver)
    before = collector.read([ETH0])
    assert before["nic/eth0"].keys == (("eth0", "rx_no_dma_resources"),)
    driver.counters["rx_missed_errors"] = 3
    now = signal(before, collector.read([ETH0]), "nic", "eth0")
    assert now.gained(("eth0", "rx_missed_errors"), "count") == 3
    assert now.gained(("eth0", "rx_no_dma_resources"), "count") == 0
    assert now.value(("eth0", "rx_crc_errors"), "count") == 0  # absent from a sparse family
    assert driver.named == 1


def test_nothing_lost_is_a_reading() -> None:
    """An empty reading is not the same as a driver that counts no losses."""
    assert Nic(Driver({"rx_missed_errors": 0})).read([ETH0])["nic/eth0"].keys == ()
    assert Nic(Driver({"rx_packets": 1})).read([ETH0]) == {}
    assert Nic(Driver({})).read([ETH0]) == {}


def test_counters_that_were_reset_have_no_gain() -> None:
    driver = Driver({"rx_drops": 9})
    collector = Nic(driver)
    before = collector.read([ETH0])
    driver.counters["rx_drops"] = 2
    assert signal(before, collector.read([ETH0]), "nic", "eth0").gained(("eth0", "rx_drops"), "count") is None


def test_changed_counters_are_read_by_name_again() -> None:
    driver = Driver({"rx0_drops": 1})
    collector = Nic(driver)
    collector.read([ETH0])
    driver.counters = {"rx0_drops": 1, "rx1_drops": 2}
    assert collector.read([ETH0]) == {}
    assert collector.read([ETH0])["nic/eth0"].keys == (("eth0", "rx0_drops"), ("eth0", "rx1_drops"))


def test_a_queue_that_comes_back_brings_no_gain() -> None:
    driver = Driver({"rx0_drops": 1})
    collector = Nic(driver)
    before = collector.read([ETH0])
    driver.counters = {"rx0_drops": 1, "rx1_drops": 1000}
    collector.read([ETH0])
    after = collector.read([ETH0])
    assert signal(before, after, "nic", "eth0").gained(("eth0", "rx1_drops"), "count") is None


def test_another_device_under_the_label() -> None:
    driver = Driver({"rx_drops": 1})
    collector = Nic(driver)
    before = collector.read([ETH0])
    driver.counters["rx_drops"] = 5
    after = collector.read([Interface("eth0", "eth0", 8)])
    assert driver.named == 2
    assert signal(before, after, "nic", "eth0").gained(("eth0", "rx_drops"), "count") is None


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENODEV])
def test_a_device_without_counters_is_silent(number: int) -> None:
    assert Nic(Driver({}, refuses=number)).read([ETH0]) == {}


def test_a_refusal_is_a_sentence() -> None:
    with pytest.raises(Unavailable, match="of eth0: ethtool cannot read them: Operation not permitted"):
        Nic(Driver({}, refuses=errno.EPERM)).read([ETH0])


@pytest.mark.bpf
def test_counters_of_a_veth(lab: Lab) -> None:
    """The driver's counters by name and by number, as `ethtool -S` prints them."""
    lab.veth()
    netdev = Netdev()
    try:
        v0, lo = (Interface(name, name, netdev.find(name).ifindex) for name in ("v0", "lo"))
        assert "rx_queue_0_xdp_drops" in netdev.ethtool.counter_names("v0")
        collector = Nic(netdev.ethtool)
        readings = collector.read([v0, lo])
        assert set(readings) == {"nic/v0"}
        assert readings["nic/v0"].keys == ()
        values = netdev.ethtool.counter_values("v0", len(netdev.ethtool.counter_names("v0")))
        assert values is not None
        assert values[0] == netdev.find("v0").lower  # peer_ifindex
        assert netdev.ethtool.counter_values("v0", 1) is None
        printed = lab.run("ethtool", "-S", "v0")
        assert tuple(line.split(":")[0].strip() for line in printed.splitlines()[1:]) == (
            netdev.ethtool.counter_names("v0")
        )
    finally:
        netdev.close()
