"""Processes behind flows: known sockets in two namespaces, listening and connected, and what TCP knows of them."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet import TCP as TCPHeader

from bpftop.collect.sockets import socket_namespaces, socket_processes
from bpftop.collect.sockets.flow_names import FlowNames, busiest, limit_of
from bpftop.collect.sockets.socket_processes import SocketHolder, SocketProcesses
from bpftop.kernel.net.socket_lookup import SocketLookup, TcpFacts
from bpftop.model.families import APPLICATION, NETWORK, RECEIVE_WINDOW, SEND_BUFFER
from bpftop.model.sample import Direction, Key, Reading, reading_key
from tests.bpf.devices import Lab
from tests.samples import packed
from tests.waiting import until

pytestmark = pytest.mark.bpf

NEAR, FAR, NEAR6, FAR6 = "198.18.5.1", "198.18.5.2", "fd00:5::1", "fd00:5::2"
PORT = 7007
ME = pwd.getpwuid(os.getuid()).pw_name
TCP, UDP = 6, 17


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.veth()
    for address, namespace in ((NEAR6, lab.near), (FAR6, lab.far)):
        with lab.inside(namespace):
            device = "v0" if namespace == lab.near else "v1"
            lab.run("ip", "address", "add", f"{address}/64", "dev", device, "nodad")
    lab.run("ping", "-qc", "1", FAR)
    return lab


@pytest.fixture
def names(lab: Lab) -> Iterator[FlowNames]:
    with closing(FlowNames()) as names:
        yield names


Row = tuple[tuple[int | str, ...], tuple[int | None, ...]]


def named(names: FlowNames, *flows: tuple[str, str, int, int, int], direction: Direction = "rx") -> list[Row | None]:
    """Return words and cells of each flow (saddr, daddr, sport, dport, protocol); None where no socket was found."""
    keys: tuple[Key, ...] = tuple(("v0", direction, *flow) for flow in flows)
    reading = packed("flows", keys, [1, 1] * len(keys))
    found = names.readings("v0", direction, {reading_key("flows", "v0", direction): reading})
    sockets = found[reading_key("flow_sockets", "v0", direction)]
    rows = {key[:7]: (key[7:], row) for key, row in sockets.totals.items()}
    return [rows.get(key) for key in keys]


def holder(
    names: FlowNames, saddr: str, daddr: str, sport: int, dport: int, protocol: int, direction: Direction = "rx"
) -> tuple[int | str, ...]:
    """Return process, pid, user, service and namespace of a flow, as soon as its process is known."""
    flow = saddr, daddr, sport, dport, protocol

    def known() -> tuple[int | str, ...] | None:
        (row,) = named(names, flow, direction=direction)
        return row[0] if row is not None and row[0][0] else None

    return until(known, "the process is known")


def me() -> tuple[int | str, ...]:
    return Path("/proc/self/comm").read_text().rstrip("\n"), os.getpid(), ME


def test_a_tcp_connection_of_both_directions(lab: Lab, names: FlowNames) -> None:
    with lab.inside(lab.far):
        server = socket.create_server((FAR, PORT))
    with server, socket.create_connection((FAR, PORT), source_address=(NEAR, 0)) as client:
        port = client.getsockname()[1]
        client.sendall(b"x" * 1000)
        assert holder(names, FAR, NEAR, PORT, port, TCP)[:3] == me()
        (row,) = named(names, (NEAR, FAR, port, PORT, TCP), direction="tx")
    assert row is not None
    words, (listening, rtt, min_rtt, lost, cwnd, rate, limit) = row
    assert words[:3] == me()
    assert words[4] == ""  # the watched namespace
    assert (listening, lost) == (0, 0)
    assert rtt
    assert min_rtt
    assert cwnd is not None
    assert cwnd >= 10  # TCP_INIT_CWND
    assert rate is not None
    assert limit is None or limit in (APPLICATION, NETWORK)


def test_a_flood_names_who_listens_at_its_port(lab: Lab, names: FlowNames) -> None:
    with socket.create_server(("0.0.0.0", PORT)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((NEAR, PORT))
        assert holder(names, "203.0.113.9", NEAR, 1234, PORT, TCP)[:3] == me()
        assert holder(names, "203.0.113.9", NEAR, 1234, PORT, UDP)[:3] == me()
        rows = named(names, ("203.0.113.9", NEAR, 1234, PORT, TCP), ("203.0.113.9", NEAR, 1234, PORT, UDP))
    assert [row and row[1] for row in rows] == [(1, *[None] * 6)] * 2


def test_a_syn_flood_names_who_listens_at_its_port(lab: Lab, names: FlowNames) -> None:
    """Each SYN is a socket of its own, which no process holds, and no flow of the flood is among the busiest."""
    lab.ip(f"route add 203.0.113.0/24 via {FAR}")
    syn = bytes(IP(src="203.0.113.9", dst=NEAR) / TCPHeader(sport=1234, dport=PORT, flags="S"))
    members: tuple[Key, ...] = (
        ("v0", "rx", "destination_port", "TCP 9"),
        ("v0", "rx", "destination_port", f"TCP {PORT}"),
        ("v0", "rx", "destination", "203.0.113.1"),  # forwarded
        ("v0", "rx", "destination", NEAR),
    )
    before = packed("flow_groups", members, [5000, 0, 0, 0, 9000, 0, 5000, 0])
    groups = replace(packed("flow_groups", members, [5050, 0, 3000, 0, 9999, 0, 5990, 0]), previous=before)
    flows = packed("flows", (("v0", "rx", FAR, NEAR, 5, 9, TCP),), [1, 10_000])
    readings = {reading_key("flows", "v0", "rx"): flows, reading_key("flow_groups", "v0", "rx"): groups}

    def process() -> tuple[int | str, ...] | None:
        sockets = names.readings("v0", "rx", readings)[reading_key("flow_sockets", "v0", "rx")]
        rows = {key[:7]: key[7:10] for key in sockets.keys if key[7]}
        return rows.get(("v0", "rx", "0.0.0.0", NEAR, 0, PORT, TCP))

    with socket.create_server((NEAR, PORT)):
        with lab.inside(lab.far), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
            sender.sendto(syn, (NEAR, 0))
        until(lambda: f":{PORT}" in lab.run("ss", "-Htn", "state", "syn-recv"), "the SYN is a socket")
        assert until(process, "the process is known") == me()


def test_udp_connected_and_not_ipv6_and_mapped(lab: Lab, names: FlowNames) -> None:
    """A dual-stack socket takes IPv4 too; the kernel shows it under ::ffff:a.b.c.d."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connected:
        connected.bind((NEAR, PORT))
        connected.connect((FAR, PORT + 1))
        assert holder(names, FAR, NEAR, PORT + 1, PORT, UDP)[:3] == me()
        assert named(names, (FAR, NEAR, PORT + 1, PORT, UDP)) == [((*me(), holder_service(), ""), (0, *[None] * 6))]
        assert named(names, ("203.0.113.9", NEAR, 5, PORT, UDP)) == [None]
    with socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        with socket.create_connection((NEAR, PORT)) as client, server.accept()[0]:
            port = client.getsockname()[1]
            assert holder(names, NEAR, NEAR, port, PORT, TCP)[:3] == me()
        assert holder(names, FAR6, NEAR6, 5, PORT, TCP)[:3] == me()


def holder_service() -> str:
    processes = SocketProcesses()
    with socket.socket() as own:
        return processes.holders({os.fstat(own.fileno()).st_ino})[os.fstat(own.fileno()).st_ino].service


def test_a_socket_in_another_namespace_is_found(lab: Lab, names: FlowNames) -> None:
    """A pod's flow, seen on the interface of the host. A socket to any address here is not taken for it."""
    script = f"import socket, time; s = socket.create_server(('{FAR}', {PORT})); print(flush=True); time.sleep(600)"
    with lab.inside(lab.far):
        far = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert far.stdout is not None
    with far, socket.create_server(("0.0.0.0", PORT)):
        far.stdout.readline()
        words = holder(names, NEAR, FAR, 1234, PORT, TCP)
        far.kill()
    assert words[1] == far.pid
    assert words[4] == str(os.fstat(lab.far).st_ino)


@pytest.mark.parametrize(("bound", "found"), [(None, True), ("NAMESPACES_MOST", False), ("BUDGET_NS", False)])
def test_other_namespaces_are_asked_within_bounds(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, bound: str | None, found: bool
) -> None:
    if bound is not None:
        monkeypatch.setattr(socket_namespaces, bound, 0)
    script = f"import socket, time; s = socket.create_server(('{FAR}', {PORT})); print(flush=True); time.sleep(600)"
    with lab.inside(lab.far):
        far = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert far.stdout is not None
    with far, closing(FlowNames()) as names:
        far.stdout.readline()
        rows = [named(names, (NEAR, FAR, 1234, PORT, TCP))[0] for _ in range(5)]  # the first walks over /proc
        far.kill()
    assert any(row is not None for row in rows) == found


def test_a_name_longer_than_the_kernel_keeps(lab: Lab, names: FlowNames, tmp_path: Path) -> None:
    program = tmp_path / "a-server-with-a-long-name"
    program.symlink_to(sys.executable)
    script = f"import socket, time; s = socket.create_server(('{NEAR}', {PORT})); print(flush=True); time.sleep(600)"
    with subprocess.Popen([program, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert Path(f"/proc/{process.pid}/comm").read_text() == "a-server-with-a\n"
        assert holder(names, FAR, NEAR, 5, PORT, TCP)[:2] == (program.name, process.pid)
        process.kill()


def test_a_forwarded_packet_is_nobodys(lab: Lab, names: FlowNames) -> None:
    lab.run("ip", "netns", "list")
    with socket.create_server(("0.0.0.0", PORT)):
        holder(names, FAR, NEAR, 5, PORT, TCP)
        assert named(names, (FAR, NEAR, 5, PORT + 1, TCP)) == [None]


def test_a_short_connection_and_a_process_that_ends(lab: Lab, names: FlowNames) -> None:
    script = f"import socket, time; s = socket.create_server(('{NEAR}', {PORT})); print(flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert holder(names, FAR, NEAR, 5, PORT, TCP)[1] == process.pid
        process.kill()
        process.wait()
    until(lambda: named(names, (FAR, NEAR, 5, PORT, TCP)) == [None], "the socket is gone")
    with socket.create_server((NEAR, PORT)):  # the port is taken over at once
        assert holder(names, FAR, NEAR, 5, PORT, TCP)[:3] == me()


def test_hostile_process_names_are_passed_on_as_text(lab: Lab, names: FlowNames) -> None:
    """Escaping is the business of those who write it; here it must not end a row or a line of /proc."""
    hostile = "a|b\x1b[31m\n\xff"
    script = (
        f"import socket, time; open('/proc/self/comm', 'wb').write({hostile.encode('latin-1')!r}); "
        f"s = socket.create_server(('{NEAR}', {PORT})); print(flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        name = holder(names, FAR, NEAR, 5, PORT, TCP)[0]
        process.kill()
    assert name == "a|b\x1b[31m\n�"


@contextmanager
def in_cgroup(name: str, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a cgroup of the test's own."""
    root = Path("/sys/fs/cgroup")
    root = root if (root / "cgroup.procs").exists() else root / "unified"
    folder = root / name
    folder.mkdir(parents=True)
    try:
        with subprocess.Popen(
            ["sh", "-c", f'echo $$ > {folder}/cgroup.procs && exec "$@"', "sh", *command], stdout=subprocess.PIPE
        ) as process:
            yield process
            process.kill()
    finally:
        until(lambda: not (folder / "cgroup.procs").read_text(), "the cgroup is empty")
        while folder != root:
            folder.rmdir()
            folder = folder.parent


def test_a_container_is_named_by_its_cgroup(lab: Lab, names: FlowNames) -> None:
    script = f"import socket, time; s = socket.create_server(('{NEAR}', {PORT})); print(flush=True); time.sleep(600)"
    with in_cgroup(
        f"bpftop-test-{os.getpid()}/docker-{'0123456789ab' + 'c' * 52}.scope", sys.executable, "-c", script
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        words = holder(names, FAR, NEAR, 5, PORT, TCP)
    assert words[3] == "docker 0123456789ab"


def test_retransmits_have_a_rate(lab: Lab, names: FlowNames) -> None:
    with lab.inside(lab.far):
        server = socket.create_server((FAR, PORT))
    with server, socket.create_connection((FAR, PORT), source_address=(NEAR, 0)) as client:
        port = client.getsockname()[1]
        with lab.inside(lab.far):
            lab.run("nft", "add table ip t; add chain ip t c { type filter hook input priority 0; }")
            lab.run("nft", f"add rule ip t c tcp dport {PORT} drop")
        client.sendall(b"x")
        key: Key = ("v0", "tx", NEAR, FAR, port, PORT, TCP)
        flows = {reading_key("flows", "v0", "tx"): packed("flows", (key,), [1, 1])}

        def again() -> Reading | None:
            sent = names.readings("v0", "tx", flows)[reading_key("flow_retransmits", "v0", "tx")]
            return sent if sent.values[0] > 0 else None

        sent = until(again, "the segment was sent again")
    assert sent.previous is not None
    assert sent.previous.keys == (key,)
    assert sent.previous.values[0] < sent.values[0]


def test_the_flows_with_most_bytes_are_named() -> None:
    keys: tuple[Key, ...] = tuple(("v0", "rx", "a", "b", port, 1, TCP) for port in range(3))
    before = packed("flows", keys[:2], [1, 1000, 1, 5], 1.0)
    now = packed("flows", keys, [1, 1001, 1, 50, 1, 20], 2.0, previous=before)
    assert busiest(now) == [keys[1], keys[2], keys[0]]


@pytest.mark.parametrize(
    ("times", "limited", "expected"),
    [
        ((0, 0, 0), False, None),
        ((10, 6, 0), False, RECEIVE_WINDOW),
        ((10, 0, 6), False, SEND_BUFFER),
        ((10, 0, 0), True, APPLICATION),
        ((10, 1, 1), False, NETWORK),
    ],
)
def test_what_limits_a_connection(times: tuple[int, int, int], limited: bool, expected: int | None) -> None:
    earlier = TcpFacts(1, 1, 0, 0, 10, 0, False, 100, 50, 50)
    now = TcpFacts(1, 1, 0, 0, 10, 0, limited, *(a + b for a, b in zip((100, 50, 50), times, strict=True)))
    assert limit_of(now, earlier) == expected


def test_a_walk_reads_only_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second walk reads this process, which has one file more; the number of links read stands for its cost."""
    monkeypatch.setattr(socket_processes, "_REST", 0)
    processes, read = SocketProcesses(), 0
    with socket.socket() as first, socket.socket() as second:
        assert processes.holders({os.fstat(first.fileno()).st_ino}) != {}
        readlink = os.readlink

        def counted(path: str) -> str:
            nonlocal read
            read += 1
            return readlink(path)

        monkeypatch.setattr(os, "readlink", counted)
        with socket.socket() as third:
            inode = os.fstat(third.fileno()).st_ino
            own = len(os.listdir("/proc/self/fd"))
            found = processes.holders({inode, os.fstat(second.fileno()).st_ino})
        assert found[inode] == SocketHolder(os.getpid(), str(me()[0]), found[inode].service)
        every = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in processes._sizes if os.path.exists(f"/proc/{pid}"))
    assert read < every
    assert read >= own - 1


def test_without_privilege_the_user_is_known(lab: Lab) -> None:
    """Another user's process is not visible, and other namespaces cannot be entered; the socket's user is."""
    with socket.create_server((NEAR, PORT)):
        script = (
            "import os, encodings.idna, bpftop.kernel.net.message_batch\n"
            "from tests.bpf.test_flow_names import FlowNames, named\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            f"names = FlowNames(); print(named(names, ('{FAR}', '{NEAR}', 5, {PORT}, 6)))\n"
            "print(names.incomplete)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[2]
        )
    assert done.returncode == 0, done.stderr
    row, why = done.stdout.splitlines()
    assert row == f"[(('', 0, '{ME}', '', ''), (1, None, None, None, None, None, None))]"
    assert why == "some processes are not known: that takes CAP_SYS_PTRACE: run it with sudo"


def test_root_without_ptrace_is_told_so(lab: Lab) -> None:
    """Root may list /proc/PID/fd without CAP_SYS_PTRACE, and read no link in it."""
    with socket.create_server((NEAR, PORT)):
        script = (
            "import encodings.idna; from tests.bpf.test_flow_names import FlowNames, named\n"
            f"names = FlowNames(); print(named(names, ('{FAR}', '{NEAR}', 5, {PORT}, 6))[0][0])\n"
            "print(names.incomplete)"
        )
        without = ("setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace")
        done = subprocess.run(
            [*without, sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[2]
        )
    assert done.returncode == 0, done.stderr
    row, why = done.stdout.splitlines()
    assert row == f"('', 0, '{ME}', '', '')"
    assert why == "some processes are not known: that takes CAP_SYS_PTRACE: give it to this container or service"


def test_a_socket_that_is_gone_is_none(lab: Lab) -> None:
    with closing(SocketLookup()) as lookup:
        with socket.create_server((NEAR, PORT)):
            assert lookup.find(TCP, (NEAR, PORT), (FAR, 1)) is not None
        assert lookup.find(TCP, (NEAR, PORT), (FAR, 1)) is None
