"""Losses that need a kernel of their own: a full neighbour table, and each kernel's own drop reasons."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from pathlib import Path

from tests.qemu.guest.bpftop import COMMAND, HAS_TCX, LINUX, Moment, Watch, ip
from tests.qemu.guest.wire import FAR, KINDS, NEAR, send, veth

HAS_REASONS = LINUX >= (5, 17)
DIAGNOSES = LINUX == (6, 12)  # it takes 4 s of samples, which are the same on all kernels
ARP = "arp_cache"
GC_THRESH3 = 64
STRANGERS = 500
DATAGRAMS = 25


def neighbour_table_fills() -> str:
    """More unresolved neighbours than gc_thresh3: table_fulls moves, and `diagnose` names it."""
    for level in (1, 2, 3):
        Path(f"/proc/sys/net/ipv4/neigh/default/gc_thresh{level}").write_text(str(GC_THRESH3))
    with veth():
        ip(f"address add 198.18.0.1/16 dev {NEAR}")
        with Watch("lo", "--attach", "none") as watch:
            _greet(0)
            after = watch.settled()
        before_fulls, fulls = (one.rows("neighbours")[(ARP,)][0] for one in (watch.first, after))
        entries, limit = after.rows("neighbour_entries")[(ARP,)]
        assert before_fulls is not None, watch.first.line
        assert fulls is not None, after.line
        # Entries that got in give way after 3 s without an answer, and no sooner.
        assert (STRANGERS - GC_THRESH3) // 2 < fulls - before_fulls <= STRANGERS, (before_fulls, fulls)
        assert limit == GC_THRESH3, after.line
        # Entries that are exempt from the limit, such as the entry of a multicast address, may come on top.
        assert entries is not None, after.line
        assert GC_THRESH3 <= entries < GC_THRESH3 + 5, after.line
        return f"table_fulls +{fulls - before_fulls}; {_diagnosed() if DIAGNOSES else 'not diagnosed on this kernel'}"


def _diagnosed() -> str:
    """Return the finding's title."""
    command = [*COMMAND, "diagnose", NEAR, "--duration", "4", "--format", "json"]
    diagnosis = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    net = 0
    while diagnosis.poll() is None:
        _greet(net := net % 100 + 2)
        time.sleep(0.1)
    output, said = diagnosis.communicate()
    assert diagnosis.returncode == 4, f"exit {diagnosis.returncode}: {said}{output}"
    findings = {finding["id"]: finding for finding in json.loads(output)["findings"]}
    assert findings["neighbour-table-full"]["severity"] == "critical", output
    return str(findings["neighbour-table-full"]["title"])


def _greet(net: int) -> None:
    """Send a datagram to each of many neighbours that do not exist."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(STRANGERS):
            # 5.10 says that there is no room (EINVAL), newer kernels do not.
            with contextlib.suppress(OSError):
                sender.sendto(b"?", (f"198.18.{net + number // 250}.{number % 250 + 2}", 9))


def drops_by_reason() -> str:
    """Frames that no protocol wants, and datagrams that no socket wants, by this kernel's own names; lo is counted."""
    with veth(), Watch(NEAR, "lo") as watch:
        before = _loaded(watch)
        send(FAR)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(DATAGRAMS):
                sender.sendto(bytes(100), ("127.0.0.1", 9))
        after = watch.settled()
    counted = {(17,): (DATAGRAMS, DATAGRAMS * 142)} if HAS_TCX else {}
    for direction in ("rx", "tx"):
        # The kernel answers with ICMP errors, as many as it likes.
        seen = after.counted("protocols", "lo", direction)
        assert {key: value for key, value in seen.items() if key == (17,)} == counted, after.line
    missing = {part: why for part, why in after.sample["unavailable"].items() if "being loaded" not in why}
    if not HAS_REASONS and "refused_ports" in missing:  # asked for only while requests are refused
        assert "does not say why" in missing.pop("refused_ports"), missing
    assert missing.keys() == (set() if HAS_REASONS else {"drops"}), missing
    if not HAS_REASONS:
        said = after.sample["unavailable"]["drops"]
        assert "does not say why" in said, said
        return str(said)
    assert not before.rows("drops"), before.line
    rows = {key: cells[0] for key, cells in after.rows("drops").items()}
    assert rows[("lo", "NO_SOCKET")] == DATAGRAMS, rows
    assert rows[(NEAR, "UNHANDLED_PROTO")] == sum(KINDS[0].times), rows
    assert rows[(NEAR, "IP_CSUM")] == sum(sum(kind.times) for kind in KINDS[1:3]), rows
    return str(rows)


def _loaded(watch: Watch) -> Moment:
    for _ in range(120):
        moment = watch.next()
        if "drops" in moment.sample["readings"] or not HAS_REASONS:
            return moment
    raise AssertionError(f"no drop reasons: {moment.sample['unavailable']}")
