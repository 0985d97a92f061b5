"""`bpftop capture` against the real kernel; the files are read by tshark."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bpf.devices import Lab
from tests.cli.running import COMMAND, bpftop, fdinfo, started
from tests.waiting import until

pytestmark = [pytest.mark.bpf, pytest.mark.needs("tshark")]

NEAR, FAR, CLOSED, SECRET = "198.18.5.1", "198.18.5.2", 9999, b"the secret of this test"


@pytest.fixture
def lab(lab: Lab) -> Lab:
    """Add a veth pair without IPv6 to the lab, with its neighbours resolved."""
    lab.ipv4_veth(FAR)
    return lab


def fields(path: Path, *names: str) -> list[list[str]]:
    """Return the fields of every packet in the file, as tshark names them."""
    options = [option for name in names for option in ("-e", name)]
    outcome = subprocess.run(
        ["tshark", "-r", path, "-T", "fields", *options], capture_output=True, text=True, check=True
    )
    return [line.split("\t") for line in outcome.stdout.splitlines()]


def send(address: str, port: int, packets: int = 1) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(packets):
            sender.sendto(SECRET, (address, port))


@contextmanager
def capturing(path: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a capture in the namespace of the test. The block begins when its programs are attached."""
    with started("capture", *words, "-o", str(path)) as process:
        links = 1 if "--drops" in words else 2

        def attached() -> bool:
            assert process.poll() is None, process.communicate()
            return sum(line.startswith("link_type") for line in fdinfo(process.pid)) == links

        until(attached, "the capture is attached")
        yield process


def end(process: subprocess.Popen[str]) -> str:
    """End the capture by Ctrl-C, and return what it says."""
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 0, said
    return said


def test_a_dropped_packet_has_its_reason_function_and_interface(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "drops.pcapng"
    with capturing(path, "v0", "--drops") as process:
        with lab.inside(lab.far):
            send(NEAR, CLOSED, 3)
        said = end(process)
    packets, cost = said.splitlines()
    assert packets == f"bpftop: 3 packets in {path}; 3 packets matched, none was left out"
    took = r"bpftop: the capture took \d+\.\d+ ms of CPU time, packets that do not match included, "
    assert re.fullmatch(rf"{took}[1-9]\d+ ns for each packet that matched", cost)
    rows = fields(
        path, "frame.comment", "frame.interface_name", "ip.src", "udp.dstport", "frame.packet_flags_direction"
    )
    assert len(rows) == 3
    comment, *facts = rows[0]
    assert comment.startswith("dropped: NO_SOCKET in ")
    assert "udp" in comment
    assert facts == ["v0", FAR, str(CLOSED), "0x00000001"]


def test_the_payload_is_zeros_unless_asked_for(lab: Lab, tmp_path: Path) -> None:
    for more, expected in ((), bytes(len(SECRET))), (("--payload",), SECRET):
        path = tmp_path / "drops.pcapng"
        with capturing(path, "v0", "--drops", "--count", "1", *more) as process:
            with lab.inside(lab.far):
                send(NEAR, CLOSED)
            process.communicate()
        assert fields(path, "data") == [[expected.hex()]]


def test_only_the_wanted_reason_is_taken(lab: Lab, tmp_path: Path) -> None:
    lab.run("nft", "add table ip t; add chain ip t c { type filter hook input priority 0; }")
    lab.run("nft", "add rule ip t c udp dport 8 drop")
    path = tmp_path / "drops.pcapng"
    with capturing(path, "v0", "--drops", "--reason", "netfilter_drop") as process:
        with lab.inside(lab.far):
            send(NEAR, CLOSED, 2)
            send(NEAR, 8, 3)
        end(process)
    assert [row[0] for row in fields(path, "udp.dstport")] == ["8", "8", "8"]


def test_drops_of_another_namespace_or_unix_sockets_are_left(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "drops.pcapng"
    with capturing(path, "v0", "--drops") as process:
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.send(b"never read")
        one.close()
        other.close()  # frees the message with the reason SOCKET_CLOSE
        send(FAR, CLOSED)  # dropped in the far namespace
        said = end(process)
    assert said.startswith(f"bpftop: 0 packets in {path}; 0 packets matched")


def test_packets_of_one_flow_in_both_directions(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "flow.pcapng"
    words = ("v0", "--flow", f"{FAR}:{CLOSED}", "--protocol", "udp")
    with capturing(path, *words) as process:
        send(FAR, CLOSED)
        send(FAR, CLOSED + 1)
        with lab.inside(lab.far), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
            back.bind((FAR, CLOSED))
            back.sendto(SECRET, (NEAR, 9))
        end(process)
    rows = fields(path, "ip.src", "udp.srcport", "udp.dstport", "frame.packet_flags_direction")
    assert [(row[0], row[3]) for row in rows] == [(NEAR, "0x00000002"), (FAR, "0x00000001")]
    assert rows[0][2] == rows[1][1] == str(CLOSED)


def test_ipv6_behind_extension_headers_and_a_vlan_tag(lab: Lab, tmp_path: Path) -> None:
    """The tag is not in the packet where a program sees it; the file has it."""
    from scapy.layers.inet import UDP
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
    from scapy.layers.l2 import Dot1Q, Ether

    path = tmp_path / "tagged.pcapng"
    parts = (
        Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff", type=0x8100),
        Dot1Q(vlan=7, type=0x86DD),
        IPv6(src="fd00::1", dst="fd00::2", nh=0, plen=8 + 8 + len(SECRET)),
        IPv6ExtHdrHopByHop(nh=17),
        UDP(sport=5, dport=CLOSED, len=8 + len(SECRET)),
    )
    frame = b"".join(map(bytes, parts)) + SECRET
    with capturing(path, "v0", "--flow", f"[fd00::2]:{CLOSED}") as process:
        with lab.inside(lab.far), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind(("v1", 0))
            sender.send(frame)
        end(process)
    ((vlan, source, data, length),) = fields(path, "vlan.id", "ipv6.src", "data", "frame.len")
    assert (vlan, source, data) == ("7", "fd00::1", bytes(len(SECRET)).hex())
    assert int(length) == len(frame)


def test_packets_shorter_than_their_headers(lab: Lab, tmp_path: Path) -> None:
    """They are in the file as far as they go. Only the last one has its ports, and passes a filter for them."""
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether

    whole = bytes(Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") / IP(dst=NEAR) / UDP(sport=5, dport=CLOSED))
    cut = [whole[:length] for length in (15, 20, 34, 36, 41)]
    for more, expected in ((), [len(frame) for frame in cut]), (("--flow", f":{CLOSED}"), [41]):
        path = tmp_path / "short.pcapng"
        with capturing(path, "v0", *more) as process:
            with lab.inside(lab.far), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
                sender.bind(("v1", 0))
                for frame in cut:
                    sender.send(frame)
            said = end(process)
        lengths = [int(row[0]) for row in fields(path, "frame.len")]
        assert [length for length in lengths if length < len(whole)] == expected, said


def test_what_the_rate_leaves_out_is_counted(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "few.pcapng"
    with capturing(path, "lo", "--rate", "5") as process:
        send("127.0.0.1", CLOSED, 500)
        said = end(process)
    packets = len(fields(path, "frame.number"))
    # 500 datagrams and their answers (ICMP is limited), each sent and received; the second may change meanwhile.
    matched = int(said.split("; ")[1].split()[0])
    assert matched >= 1000
    assert (
        f"{matched - packets} were left out: {matched - packets} for the limit of packets per second, 0 because" in said
    )


def test_a_slow_reader_loses_packets_and_they_are_counted(lab: Lab, tmp_path: Path) -> None:
    """The ring holds 1 MiB; the process is stopped while more than that is sent."""
    path = tmp_path / "slow.pcapng"
    words = ("lo", "--rate", "1000000", "--snaplen", "1000", "--payload", "--protocol", "udp")
    with capturing(path, *words) as process:
        process.send_signal(signal.SIGSTOP)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(2000):
                sender.sendto(bytes(900), ("127.0.0.1", CLOSED))
        process.send_signal(signal.SIGCONT)
        said = end(process)
    packets, lost = len(fields(path, "frame.number")), int(said.split(" because")[0].split()[-1])
    assert packets + lost == 4000
    assert lost > 0


def test_it_ends_at_the_number_of_packets_and_at_the_size(lab: Lab, tmp_path: Path) -> None:
    for limit in (("--count", "3"), ("--max-size", "500")):
        path = tmp_path / "limited.pcapng"
        with capturing(path, "lo", *limit) as process:
            send("127.0.0.1", CLOSED, 50)
            _, said = process.communicate()
        assert process.returncode == 0
        assert 0 < len(fields(path, "frame.number")) <= 3
        assert "came after its limit" in said


def test_a_full_disk_keeps_the_packets_before(lab: Lab, tmp_path: Path) -> None:
    """The tmpfs has room for 16 pages; it is mounted in a mount namespace of the command's own."""
    path, copy = tmp_path / "full" / "x.pcapng", tmp_path / "copy.pcapng"
    path.parent.mkdir()
    command = f"mount -t tmpfs -o size=64k none {path.parent} && "
    command += (
        f"{sys.executable} -m bpftop.cli capture lo -o {path} --rate 100000; code=$?; cp {path} {copy}; exit $code"
    )
    with subprocess.Popen(["unshare", "--mount", "sh", "-c", command], stderr=subprocess.PIPE, text=True) as process:

        def full() -> bool:
            send("127.0.0.1", CLOSED, 50)
            return process.poll() is not None

        until(full, "the disk is full")
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.returncode == 1
    assert (
        f"bpftop: cannot write {path}: No space left on device; give the output another place with -o; the file has "
        in said
    )
    kept = len(fields(copy, "frame.number"))
    assert kept > 100
    told = re.search(r"(\d+) packets in .*; (\d+) packets matched, none was left out; (\d+) were not written", said)
    assert told is not None
    written, matched, unwritten = map(int, told.groups())
    assert (written, matched) == (kept, written + unwritten)
    assert "Traceback" not in said


def test_a_pipe_is_read_while_it_is_captured(lab: Lab) -> None:
    with started("capture", "lo", "--count", "2", "-o", "-", text=False) as process:

        def ended() -> bool:
            send("127.0.0.1", CLOSED)
            return process.poll() is not None

        until(ended, "two packets are captured")
        content, _ = process.communicate()
    outcome = subprocess.run(["tshark", "-r", "-"], input=content, capture_output=True, check=True)
    assert len(outcome.stdout.splitlines()) == 2


def test_bad_words_are_sentences(lab: Lab) -> None:
    cases = {
        ("--reason", "NO_SOCKET"): (2, "--reason is about dropped packets; add --drops"),
        ("--drops", "--reason", "X"): (1, "this kernel has no drop reason 'X'; it has "),
        ("--protocol", "nope"): (1, "'nope' is no protocol"),
        ("--flow", "1.2.3.4:99999"): (1, "'1.2.3.4:99999' is no end of a flow"),
        ("--flow", "a,b,c"): (1, "'a,b,c' has more than two ends"),
        ("--snaplen", "10"): (2, "'10' is not a number of bytes from 64 to 16384"),
    }
    for words, (code, sentence) in cases.items():
        outcome = bpftop("capture", "lo", *words, "-o", "/dev/null")
        assert outcome.returncode == code, words
        assert sentence in outcome.stderr


@pytest.mark.needs("setpriv")
def test_without_privilege_it_is_one_sentence(lab: Lab) -> None:
    cases = {
        "-all,+bpf,+net_admin": (("--drops",), "cannot capture dropped packets: ", "CAP_PERFMON"),
        "-all,+perfmon": ((), "cannot capture on lo: ", "CAP_BPF"),
    }
    for held, (more, what, missing) in cases.items():
        command = ["setpriv", f"--bounding-set={held}", "--inh-caps=-all", *COMMAND]
        outcome = subprocess.run([*command, "capture", "lo", *more, "-o", "/dev/null"], capture_output=True, text=True)
        assert outcome.returncode == 1
        assert outcome.stderr.count("\n") == 1
        assert outcome.stderr.startswith(f"bpftop: {what}")
        assert missing in outcome.stderr


def test_without_btf_it_is_one_sentence(lab: Lab) -> None:
    """An empty folder hides the BTF, in a mount namespace of the command's own."""
    script = f"mount -t tmpfs none /sys/kernel/btf && exec {' '.join(COMMAND)} capture lo --drops -o /dev/null"
    outcome = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True)
    assert outcome.returncode == 1
    assert outcome.stderr.count("\n") == 1
    assert outcome.stderr.startswith("bpftop: cannot capture dropped packets: ")
    assert "BTF" in outcome.stderr


def test_hidden_functions_are_said_once(lab: Lab, tmp_path: Path) -> None:
    """Without CAP_SYSLOG the kernel shows addresses as 0 (kernel.kptr_restrict 1); the file is empty here."""
    path, said = tmp_path / "drops.pcapng", tmp_path / "said"
    script = f"mount --bind /dev/null /proc/kallsyms && exec {' '.join(COMMAND)} capture lo --drops --count 1 -o {path}"
    with (
        said.open("w") as errors,
        subprocess.Popen(["unshare", "--mount", "sh", "-c", script], stderr=errors) as process,
    ):

        def ended() -> bool:
            send("127.0.0.1", CLOSED)
            return process.poll() is not None

        until(ended, "a packet is captured")
    assert process.returncode == 0
    assert said.read_text().count("the kernel hides the addresses of its functions") == 1
    ((comment,),) = fields(path, "frame.comment")
    assert comment.startswith("dropped: NO_SOCKET, stage UDP no port, CPU ")


def test_nothing_is_left_after_a_kill(lab: Lab, tmp_path: Path) -> None:
    with capturing(tmp_path / "x.pcapng", "v0") as process:
        process.kill()
        process.wait()
        until(lambda: "tcx" not in lab.run("bpftool", "net", "show", "dev", "v0"), "the kernel has detached")
    assert list(tmp_path.iterdir()) == []
