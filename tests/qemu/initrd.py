"""The first file system of a guest: busybox, this Python, iproute2, and bpftop with the packages that it needs."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from bpftop.kernel.build import compile_bpf_object, find_bpf_tools
from tests.mirrors import Unobtainable
from tests.qemu.archive import Archive
from tests.qemu.kernels import Kernel

ROOT = Path(__file__).resolve().parents[2]
GUEST = ROOT / "tests/qemu/guest"
CHECKOUT, SITE, MODULES, SCRIPT = "/checkout", "/site", "/modules", "/script.py"
COMMANDS = ("ip", "tc")
DISTRIBUTIONS = ("cffi", "PyYAML", "psutil")
"""Packages that bpftop imports without its screen."""
LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip"} | {
    "lib2to3",
    "pydoc_data",
    "distutils",
}

INIT = """\
#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/tmp LANG=C.UTF-8 TERM=dumb PYTHONPATH={site}:{checkout}
export LD_LIBRARY_PATH={libraries}
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t bpf bpf /sys/fs/bpf
mount -t tmpfs tmpfs /tmp
for module in {modules}/*.ko; do insmod $module; done
ip link set lo up
stty -F /dev/ttyS1 raw
cd {checkout}
{python} {script} >/dev/ttyS1 2>&1 </dev/null
echo "$?" >/dev/ttyS2
sync
poweroff -f
"""


def initrd(kernel: Kernel, script: str) -> bytes:
    """Return the first file system, packed; ``script`` is Python, run in ``CHECKOUT``."""
    own = Archive()
    for module in kernel.modules:
        own.copy(module, f"{MODULES}/{module.name}")
    own.file(SCRIPT, script.encode())
    return _base() + _checkout() + own.to_bytes()


@functools.cache
def _base() -> bytes:
    archive = Archive()
    for folder in ("proc", "sys", "dev", "tmp", "run", "var"):
        archive.folder(folder)
    python = Path(sys.executable).resolve()
    programs = [python, *map(_command, COMMANDS)]
    archive.copy(_command("busybox"), "/bin/busybox")
    for program in programs:
        archive.copy(program)
    # ip is found by name in any of these; the links of busybox come later and do not replace it.
    for name in COMMANDS:
        archive.copy(_command(name), f"/bin/{name}")
    extensions: list[Path] = [*ROOT.glob("bpftop/kernel/*.so")]
    for source, path in [*_library(), *_distributions()]:
        archive.copy(source, path)
        if source.suffix == ".so":
            extensions.append(source)
    libraries = _libraries([*programs, *extensions])
    for library in libraries:
        archive.copy(library)
    init = INIT.format(
        site=SITE,
        checkout=CHECKOUT,
        modules=MODULES,
        script=SCRIPT,
        python=python,
        libraries=":".join(sorted({str(library.parent) for library in libraries})),
    )
    archive.file("/init", init.encode(), mode=0o755)
    return archive.to_bytes()


@functools.cache
def _checkout() -> bytes:
    """bpftop with its byte code, which compiling in the guest would take seconds for, and the guests' scripts."""
    archive = Archive()
    sources = [*ROOT.glob("bpftop/**/*"), *ROOT.glob("themes/*"), *GUEST.glob("*.py")]
    with tempfile.TemporaryDirectory() as scratch:
        for source in sources:
            if source.is_dir() or source.suffix == ".pyc":
                continue
            path = f"{CHECKOUT}/{source.relative_to(ROOT)}"
            archive.copy(source, path)
            if source.suffix == ".py":
                code = Path(scratch) / "code"
                unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
                py_compile.compile(str(source), str(code), path, doraise=True, invalidation_mode=unchecked)
                folder, tag = os.path.dirname(path), sys.implementation.cache_tag
                archive.file(f"{folder}/__pycache__/{source.stem}.{tag}.pyc", code.read_bytes())
        foreign = Path(scratch) / "foreign.bpf.o"
        compile_bpf_object(GUEST / "foreign.bpf.c", foreign, *find_bpf_tools())
        archive.copy(foreign, f"{CHECKOUT}/{GUEST.relative_to(ROOT)}/{foreign.name}")
    return archive.to_bytes()


def _library() -> Iterator[tuple[Path, str]]:
    """Python's standard library, with byte code where there is some."""
    top = Path(os.__file__).parent
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in LEFT_OUT and not name.startswith("config-")]
        for name in names:
            if not name.endswith((".opt-1.pyc", ".opt-2.pyc", ".a", ".exe")):
                path = Path(folder, name)
                yield path, str(path)


def _distributions() -> Iterator[tuple[Path, str]]:
    for name in DISTRIBUTIONS:
        for file in importlib.metadata.files(name) or ():
            if ".." not in file.parts and LEFT_OUT.isdisjoint(file.parts):
                yield Path(str(file.locate())), f"{SITE}/{file}"


def _command(name: str) -> Path:
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if path is None:
        raise Unobtainable(f"there is no {name} here; contrib/system-packages test installs what the tests need")
    return Path(path).resolve()


def _libraries(programs: Iterable[Path]) -> list[Path]:
    """Return the programs' shared libraries and their loader, by the names under which programs look for them."""
    listed = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=True).stdout
    lost = re.findall(r"(\S+) => not found", listed)
    if lost:
        raise Unobtainable(f"shared libraries are missing here: {', '.join(lost)}")
    named = {Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", listed, re.MULTILINE)}
    # glibc loads this one by name when a thread ends: "libgcc_s.so.1 must be installed for pthread_exit to work".
    late = {path for library in named if (path := library.with_name("libgcc_s.so.1")).exists()}
    return sorted(named | late)
