"""Questions about BPF. Each one tries bpftop's own programs, in a private namespace where a device is needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.collect.procfs.missing_files import hidden_by
from bpftop.doctor.answers import PLACE_TAKES, NotTried, Question, Verdict, await_frame, elapsed_ms, no, unknown, yes
from bpftop.errors import ENOTSUPP
from bpftop.hooks.steps import CLSACT, GENERIC, NATIVE, TCX, AttachStep, ProgramName
from bpftop.kernel.bpf import probe
from bpftop.kernel.bpf.bpf_link import Link
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.net.clsact import Clsact
from bpftop.kernel.privileges import COUNTING
from bpftop.kernel.return_code import KernelError, errno_words
from bpftop.model import protocols
from bpftop.model.sample import DIRECTIONS, Direction, reading_key

BTF_MAGIC = b"\x9f\xeb"  # 0xeB9F of a little-endian machine (Documentation/bpf/btf.rst)

HOOK_NAMES: dict[AttachStep, str] = {GENERIC: "XDP links", NATIVE: "native XDP", TCX: "TCX", CLSACT: "clsact"}
"""Step of a plan -> the question whether its hook works here."""

PROGRAM_NAMES: dict[ProgramName, str] = {
    "count_xdp": "XDP counter",
    "count_xdp_frags": "XDP frags counter",
    "count_tc": "tc counter",
}
"""Program of a step -> the question whether the program loads."""

_NO_BTF = "counting works without it; drop reasons and XDP errors need a kernel with CONFIG_DEBUG_INFO_BTF"
_NO_CLSACT = "only --attach clsact needs it; load the modules sch_ingress and cls_bpf"
_NO_JIT = "counting a packet takes longer: run `sysctl net.core.bpf_jit_enable=1`"
_Attach = Callable[[int, int, Direction], Link | Clsact]


def questions(root: Path) -> list[Question]:
    """Return the questions, each after the questions that it depends on."""
    tried = (*COUNTING, "CAP_SYS_ADMIN")
    return [
        Question("bpf(2)", _map, ("CAP_BPF",), "bpftop needs a kernel with CONFIG_BPF_SYSCALL"),
        Question("kernel BTF", partial(_btf, root), (), _NO_BTF),
        Question("JIT compiler", partial(_jit, root)),
        _loading("count_xdp", "received frames are counted by TCX instead"),
        _loading("count_xdp_frags", "needs Linux 5.18; devices with a large MTU are counted by TCX instead"),
        _loading("count_tc", "sent frames are counted from rtnetlink instead"),
        Question("batch reads", _batch, COUNTING, "the counters cannot be read"),
        Question("test runs", _test_run, COUNTING, "the cost of counting a packet stays unknown"),
        Question("private veth pair", _pair, PLACE_TAKES, "load the module veth; `bpftop demo` needs it too"),
        Question(HOOK_NAMES[GENERIC], _xdp_links, tried, "needs Linux 5.9; use --attach clsact"),
        Question(HOOK_NAMES[NATIVE], _native, tried, "received frames are counted by TCX instead"),
        Question(HOOK_NAMES[TCX], _tcx, tried, "needs Linux 6.6; sent frames are counted from rtnetlink instead"),
        Question(HOOK_NAMES[CLSACT], _clsact, tried, _NO_CLSACT),
    ]


def _loading(program: ProgramName, otherwise: str) -> Question:
    return Question(PROGRAM_NAMES[program], partial(_load, program), COUNTING, otherwise)


def _map() -> Verdict:
    start_ns = time.monotonic_ns()
    probe.make_map()
    return yes(f"created a map in {elapsed_ms(start_ns)}")


def _btf(root: Path) -> Verdict:
    path = root / "sys/kernel/btf/vmlinux"
    try:
        with open(path, "rb") as file:
            begin = file.read(2)
            size_bytes = file.seek(0, 2)
    except FileNotFoundError:
        hidden = hidden_by(path)
        if hidden is None:
            raise
        return unknown(f"hidden here: {hidden}", f"show {path} to bpftop")
    if begin not in (BTF_MAGIC, BTF_MAGIC[::-1]):
        return no(
            "/sys/kernel/btf/vmlinux does not begin like BTF",
            "counting works without it; check how this kernel was built",
        )
    return yes(f"{size_bytes / 1e6:.1f} MB at /sys/kernel/btf/vmlinux")


def _jit(root: Path) -> Verdict:
    """Look at a compiled program first: containers hide the setting, and mostly only root may read it."""
    try:
        with closing(PacketCounter("count_xdp", "rx")) as counter:
            jited_bytes = counter.program.info().jited_bytes
    except KernelError:
        return _jit_setting(root)
    if jited_bytes:
        return yes(f"compiled the XDP counter to {jited_bytes} bytes of machine code")
    return no("programs are interpreted", _NO_JIT)


def _jit_setting(root: Path) -> Verdict:
    try:
        setting = (root / "proc/sys/net/core/bpf_jit_enable").read_text().strip()
    except OSError as error:
        return unknown(
            f"net.core.bpf_jit_enable cannot be read: {errno_words(error.errno or 0)}",
            "run the doctor as root of the host",
        )
    if setting == "0":
        return no("net.core.bpf_jit_enable is 0", _NO_JIT)
    return yes(f"net.core.bpf_jit_enable is {setting}")


def _load(program: ProgramName) -> Verdict:
    start_ns = time.monotonic_ns()
    with closing(PacketCounter(program, "rx")) as counter:
        duration = elapsed_ms(start_ns)
        verified = counter.program.info().verified_insns  # Linux 5.16; 0 before
    return yes(f"loads in {duration}" + (f", {verified} instructions verified" if verified else ""))


def _batch() -> Verdict:
    with closing(_counter("count_xdp", "rx")) as counter:
        counter.read("", 0)  # the first read tries the batch call
        reading = counter.read("", 0)[reading_key("protocols", "", "rx")]
        cost = f"all protocols x {possible_cpus()} CPUs read in {reading.cost_ns / 1e3:.0f} µs"
        if counter.batch:
            return yes(cost)
        return no(errno_words(ENOTSUPP), f"needs Linux 5.13; each protocol takes a look-up of its own: {cost}")


def _test_run() -> Verdict:
    with closing(_counter("count_xdp", "rx")) as xdp, closing(_counter("count_tc", "rx")) as tc:
        return yes(f"counting costs {xdp.packet_cost_ns():.0f} ns a packet by XDP, {tc.packet_cost_ns():.0f} ns by tc")


def _pair() -> Verdict:
    start_ns = time.monotonic_ns()
    try:
        with probe.private_pair():
            return yes(f"created in {elapsed_ms(start_ns)}")
    except probe.NoPlace as error:  # the missing place is this question's answer
        raise KernelError(str(error), error.errno) from error


def _xdp_links() -> Verdict:
    return _try("count_xdp", ("rx",), lambda fd, ifindex, _: Link.xdp(fd, ifindex, generic=True))


def _native() -> Verdict:
    return _try("count_xdp", ("rx",), lambda fd, ifindex, _: Link.xdp(fd, ifindex))


def _tcx() -> Verdict:
    try:
        return _try("count_tc", DIRECTIONS, Link.tcx)
    except probe.NoPlace as error:
        with closing(_counter("count_tc", "rx")) as counter:
            probe.check_tcx(counter.program.fd)
        return yes(f"this kernel has TCX; not attached: {error}")


def _clsact() -> Verdict:
    return _try("count_tc", DIRECTIONS, Clsact)


def _try(program: ProgramName, directions: tuple[Direction, ...], attach: _Attach) -> Verdict:
    """Attach to both ends of a private pair, send a frame, and check that each end counted it."""
    with probe.private_pair() as pair, ExitStack() as stack:
        counters = {direction: stack.enter_context(closing(_counter(program, direction))) for direction in directions}
        start_ns = time.monotonic_ns()
        for direction, counter in counters.items():
            ifindex = pair.receiver if direction == "rx" else pair.sender
            stack.callback(attach(counter.program.fd, ifindex, direction).close)
        duration = elapsed_ms(start_ns)
        pair.send()
        counted = {direction: _counted(counter) for direction, counter in counters.items()}
    if any(frames != 1 for frames in counted.values()):
        counts = " and ".join(f"{frames} {direction}" for direction, frames in counted.items())
        return no(f"attached to a private veth in {duration}, but counted {counts} of 1 frame", "please report it")
    return yes(f"attached to a private veth in {duration}, counted the frame that was sent")


def _counted(counter: PacketCounter) -> int:
    """Wait for the probe's frame and return its count. IPv6 sends other frames on a new device."""
    family, key = reading_key("protocols", "", counter.direction), ("", counter.direction, protocols.OTHER_ETHERTYPE)
    return await_frame(lambda: counter.read("", 0)[family].totals.get(key, (0,))[0] or 0)


def _counter(program: ProgramName, direction: Direction) -> PacketCounter:
    """Load a counter for a question about another part. Raises NotTried."""
    try:
        return PacketCounter(program, direction)
    except KernelError as error:
        raise NotTried(f"the {PROGRAM_NAMES[program]} does not load, {errno_words(error.errno)}") from error
