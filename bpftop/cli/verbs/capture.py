"""``bpftop capture``: write dropped packets, or packets of an interface, to a file that Wireshark reads."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from bpftop.cli.options import FROM_1, add_netns, interface_names, number, whole
from bpftop.cli.output import complain, opened
from bpftop.cli.shutdown import Ended, acknowledge, before_forced_exit, interruptible
from bpftop.cli.verbs.record import size_bytes
from bpftop.cli.verbs.watch import duration_s
from bpftop.errors import UsageError
from bpftop.fields import replace
from bpftop.model.captured_packet import PACKETS_PER_SEC, SNAPLEN_BYTES

if TYPE_CHECKING:
    from bpftop.cli.capture_file import CaptureFile
    from bpftop.cli.finding_wait import FoundPackets
    from bpftop.collect.capture.packet_capture import PacketCapture
    from bpftop.collect.capture.request import CaptureRequest
    from bpftop.model.packet_filter import PacketFilter
    from bpftop.rules.rule import Rule

SNAPLEN_LEAST, SNAPLEN_MOST = 64, 16384
_WAIT_S = 0.1
_snaplen_bytes = number(
    whole,
    lambda value: SNAPLEN_LEAST <= value <= SNAPLEN_MOST,
    f"a number of bytes from {SNAPLEN_LEAST} to {SNAPLEN_MOST}",
)
ABOUT = """\
Without --drops, packets of both directions are copied at TCX (Linux 6.6), which
sees super-frames as one packet. With --drops, packets that the kernel dropped are
copied where it frees them, with its reason, the function and the CPU as a comment
of the packet (tracepoint kfree_skb, Linux 5.17). Nothing is attached before this
command, and all of it goes with this command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description}\n\n{ABOUT}"
    parser.add_argument(
        "interfaces",
        metavar="IFACE",
        nargs="*",
        help="interfaces to capture on (default: the one with the default route)",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="file to write (pcapng); -: standard output, for a pipe"
    )
    # A destination of its own: `drops` is --no-drops of the other verbs, which the configuration sets to true.
    parser.add_argument("--drops", action="store_true", dest="only_drops", help="only packets that the kernel dropped, "
                        "with its reason")  # fmt: skip
    parser.add_argument("--reason", metavar="R", help="with --drops: only this reason, such as NO_SOCKET")
    parser.add_argument("--protocol", metavar="P", help="only this protocol: tcp, udp, icmp, arp, or a number")
    parser.add_argument(
        "--flow",
        metavar="A[,B]",
        help="only packets from or to A, or between A and B: 198.18.0.1, 198.18.0.1:53, :53, [fd00::1]:53",
    )
    parser.add_argument(
        "--finding",
        metavar="ID",
        help="only packets that this finding is about, such as syn-flood, from the moment it is found on: those that "
        "it counts as dropped, or those of its protocol and port (`bpftop diagnose --list` has the ids)",
    )
    parser.add_argument("--count", metavar="N", type=FROM_1, help="end after N packets (default: run until "
                        "Ctrl-C)")  # fmt: skip
    parser.add_argument("--duration", metavar="SECONDS", type=duration_s, help="end after this time")
    parser.add_argument("--max-size", metavar="SIZE", type=size_bytes, default=1 << 30, help="end before the file is "
                        "larger than this, as in 500M (default: 1G)")  # fmt: skip
    parser.add_argument("--rate", metavar="N", type=FROM_1, default=PACKETS_PER_SEC, help="at most so many packets in "
                        f"a second (default: {PACKETS_PER_SEC}); the others are counted")  # fmt: skip
    parser.add_argument("--one-in", metavar="N", type=FROM_1, default=1, help="take one of N packets, at random")
    parser.add_argument(
        "--snaplen",
        metavar="BYTES",
        type=_snaplen_bytes,
        default=SNAPLEN_BYTES,
        help=f"keep so many bytes of a packet, {SNAPLEN_LEAST} to {SNAPLEN_MOST} (default: {SNAPLEN_BYTES})",
    )
    content = parser.add_mutually_exclusive_group()
    content.add_argument("--headers-only", action="store_true", help="write zeros behind the layer 4 header (the "
                         "default)")  # fmt: skip
    content.add_argument("--payload", action="store_true", help="write the payload too, as far as --snaplen goes")
    add_netns(parser)


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.capture_file import CaptureFile
    from bpftop.collect.capture.packet_capture import PacketCapture
    from bpftop.kernel.netns import inside

    request, names = _request(arguments), interface_names(arguments)
    rule = None if arguments.finding is None else _rule(arguments)
    with opened(arguments.output) as output:
        limits = arguments.count, arguments.max_size, request.most_bytes
        file = CaptureFile(output, *limits, payload=arguments.payload)
        title = ""
        if rule is not None:
            found = _found(arguments, rule)
            if found is None:
                file.begin(f"{rule.id} was not found")
                complain(f"{rule.id} was not found, so {arguments.output} has no packets")
                return 0
            request, names, title = replace(request, wanted=found.wanted), found.names, found.title
        file.begin(_description(arguments, request.wanted, names, title))
        with (
            inside(arguments.netns),
            closing(PacketCapture(names, request)) as capture,
            before_forced_exit(capture.close),
        ):
            try:
                _follow(capture, file, arguments.duration)
            except Ended:  # the normal end
                acknowledge()
            file.end(capture)
    for sentence in file.sentences(arguments.output):
        complain(sentence)
    return 1 if file.trouble is not None else 0


def _follow(capture: PacketCapture, file: CaptureFile, duration: float | None) -> None:
    end_s = float("inf") if duration is None else time.monotonic() + duration
    while not file.is_full and (left_s := end_s - time.monotonic()) > 0:
        with interruptible():
            capture.wait(min(_WAIT_S, left_s))
        file.add(capture.read())


def _rule(arguments: argparse.Namespace) -> Rule:
    """Return the check of --finding. Raises UsageError."""
    from bpftop.cli.finding_wait import rule_of

    filters = {
        "--drops": arguments.only_drops, "--reason": arguments.reason, "--protocol": arguments.protocol,
        "--flow": arguments.flow,
    }  # fmt: skip
    given = [name for name, value in filters.items() if value]
    if given:
        raise UsageError(f"--finding chooses the packets; leave out {' and '.join(given)}")
    return rule_of(arguments.finding)


def _found(arguments: argparse.Namespace, rule: Rule) -> FoundPackets | None:
    """Wait for a finding, and return the capture that it asks for; None: a signal came first."""
    from bpftop.cli.finding_wait import wait_for
    from bpftop.render.packet_words import packet_words

    try:
        found = wait_for(rule, arguments)
    except Ended:
        acknowledge()
        return None
    complain(f"{found.title}: capturing {packet_words(found.wanted)} on {' '.join(found.names)}")
    return found


def _request(arguments: argparse.Namespace) -> CaptureRequest:
    from bpftop.collect.capture.request import CaptureRequest, flow_sides, protocol_numbers
    from bpftop.model.packet_filter import PacketFilter

    if arguments.reason is not None and not arguments.only_drops:
        raise UsageError("--reason is about dropped packets; add --drops")
    ethertype, l4_proto = (None, None) if arguments.protocol is None else protocol_numbers(arguments.protocol)
    reasons = () if arguments.reason is None else (arguments.reason,)
    return CaptureRequest(
        PacketFilter(arguments.only_drops, reasons, ethertype, l4_proto),
        () if arguments.flow is None else flow_sides(arguments.flow),
        most_bytes=arguments.snaplen,
        packets_per_sec=arguments.rate,
        sample_1_in=arguments.one_in,
    )


def _description(arguments: argparse.Namespace, wanted: PacketFilter, names: Sequence[str], title: str) -> str:
    """Return the comment of the file: what it takes, and the finding that it is about."""
    from bpftop.render.packet_words import packet_words

    parts = (
        f"{packet_words(wanted)} on {' '.join(names)}",
        f"flow {arguments.flow}" if arguments.flow is not None else "",
        f"one in {arguments.one_in}" if arguments.one_in > 1 else "",
        "with payload" if arguments.payload else "payload is zeros",
        f"at most {arguments.rate}/s",
        title,
    )
    return ", ".join(part for part in parts if part)
