"""Probes on this kernel, and the private veth pair."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from bpftop.kernel.bpf.bpf_link import Link
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.probe import NoPlace, check_tcx, libbpf_version, make_map, private_pair
from bpftop.kernel.net.netdev import Device, Netdev
from bpftop.kernel.return_code import KernelError
from tests.waiting import until


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Check that a test leaves no file open and stays in its namespace."""

    def held() -> tuple[str, list[str]]:
        return os.readlink("/proc/thread-self/ns/net"), os.listdir("/proc/self/fd")

    before = held()
    yield
    assert held() == before


pytestmark = [pytest.mark.bpf, pytest.mark.usefixtures("nothing_left")]


def as_nobody(act: Callable[[], object]) -> str:
    """Return in words what ``act`` raises or returns in a child without privileges."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(writer, f"returned {act()}".encode())
        except Exception as error:  # noqa: BLE001 the parent compares its words
            os.write(writer, f"{type(error).__name__} {getattr(error, 'errno', '')}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        words = answer.read()
    os.waitpid(child, 0)
    return words


def device(ifindex: int) -> Device:
    with closing(Netdev()) as netdev:
        device = netdev.device(ifindex)
    assert device is not None
    return device


def test_make_map() -> None:
    make_map()


def test_make_map_without_privilege() -> None:
    assert as_nobody(make_map) == "KernelError 1: cannot make a BPF map: EPERM (Operation not permitted)"


def test_the_pair_is_private() -> None:
    home = os.readlink("/proc/thread-self/ns/net")
    devices = socket.if_nameindex()
    with private_pair() as pair:
        assert os.readlink("/proc/thread-self/ns/net") != home
        assert {name for _, name in socket.if_nameindex()} == {"lo", "sender", "receiver"}
        assert {device(end).kind for end in (pair.sender, pair.receiver)} == {"veth"}
    assert socket.if_nameindex() == devices


def test_a_frame_crosses_the_pair() -> None:
    with private_pair() as pair:
        before = device(pair.receiver).counters["rx_bytes"]
        pair.send()
        until(lambda: device(pair.receiver).counters["rx_bytes"] - before >= 60, "60 bytes received")


def test_errors_inside_the_block_are_raised() -> None:
    with pytest.raises(OSError, match="mine"), private_pair():
        raise OSError(errno.EPERM, "mine")


def test_no_pair_without_privilege() -> None:
    def make() -> None:
        with private_pair():
            pass

    assert as_nobody(make) == "NoPlace 1: no private veth pair: EPERM (Operation not permitted)"
    assert issubclass(NoPlace, KernelError)


def test_check_tcx_agrees_with_attaching() -> None:
    with closing(BpfObject("noop", "noop_tc")) as noop:

        def attach() -> None:
            with private_pair() as pair:
                Link.tcx(noop.program.fd, pair.receiver, "rx").close()

        assert errno_of(lambda: check_tcx(noop.program.fd)) == errno_of(attach)


def errno_of(act: Callable[[], None]) -> int | None:
    try:
        act()
    except KernelError as error:
        return error.errno
    return None


def test_check_tcx_raises_other_errors() -> None:
    with closing(BpfObject("noop", "noop_xdp")) as noop, pytest.raises(KernelError) as refused:
        check_tcx(noop.program.fd)  # an XDP program has no place on a tc hook
    assert refused.value.errno == errno.EINVAL


def test_libbpf_version() -> None:
    assert re.fullmatch(r"[1-9]\.\d+", libbpf_version())
