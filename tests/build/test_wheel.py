"""The wheel, installed into an empty environment: it has its own libbpf, and counts."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.waiting import LIMIT_S

pytestmark = pytest.mark.timeout(20 * LIMIT_S)  # compilers, pip and virtual environments
ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, timeout: float = 10 * LIMIT_S) -> str:
    """Return the standard output of a command that must succeed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, cwd="/")
    assert outcome.returncode == 0, f"{command}: {outcome.stdout}{outcome.stderr}"
    return outcome.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a new wheel. The build script refuses a wheel with a wrong tag, search path, content or size."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, ROOT / "contrib" / "build_wheel.py", folder)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of an environment with the wheel and its dependencies."""
    venv = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", venv)
    run(venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", wheel)
    return venv / "bin"


@pytest.fixture
def veth() -> Iterator[tuple[str, str]]:
    """Yield two namespaces joined by ``port``, 192.0.2.1 in the first and 192.0.2.2 in the second; their names."""
    near, far = (f"bpftop-wheel-{side}-{os.getpid()}" for side in ("near", "far"))
    try:
        for name in (near, far):
            run("ip", "netns", "add", name)
        run("ip", "-n", near, "link", "add", "port", "type", "veth", "peer", "name", "port", "netns", far)
        for name, address in ((near, "192.0.2.1/24"), (far, "192.0.2.2/24")):
            run("ip", "-n", name, "address", "add", address, "dev", "port")
            run("ip", "-n", name, "link", "set", "port", "up")
        yield near, far
    finally:
        for name in (near, far):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def test_one_wheel_for_every_python_from_3_10(wheel: Path) -> None:
    assert re.fullmatch(r"bpftop-\d[^-]*-cp310-abi3-manylinux_\d+_\d+_\w+\.whl", wheel.name)


def test_objects_keep_btf_and_lose_dwarf(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("bpftop/objects/")]
        assert names
        for name in names:
            sections = {section.name for section in ELFFile(io.BytesIO(archive.read(name))).iter_sections()}
            assert ".BTF" in sections, name
            assert not {section for section in sections if section.startswith((".debug", ".rel.BTF"))}, name


def test_wheel_has_no_links_and_no_sources(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            assert entry.external_attr >> 28 != 0xA, f"{entry.filename} is a symbolic link"
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if not re.search(r"\.(dist-info|data)/", name)} == {
        "bpftop",
        "bpftop.libs",
    }
    assert not [name for name in names if name.endswith((".c", ".h"))]
    licences = {Path(name).name for name in names if ".dist-info/licenses/" in name}
    assert "LICENSE" in licences
    # One for each library in the wheel.
    assert len(licences) == 1 + len([name for name in names if name.startswith("bpftop.libs/")])


def test_the_grafted_libbpf_is_the_one_loaded(installed: Path) -> None:
    program = "import bpftop.kernel._libbpf; print(open('/proc/self/maps').read())"
    mapped = run(installed / "python", "-c", program)
    libraries = {line.split()[-1] for line in mapped.splitlines() if re.search(r"/lib(bpf|elf)\b", line)}
    assert len(libraries) == 2
    assert all(str(installed.parent) in library and "/bpftop.libs/" in library for library in libraries), libraries


@pytest.mark.bpf
def test_it_attaches_and_counts(installed: Path, veth: tuple[str, str]) -> None:
    near, far = veth
    ping = ["ip", "netns", "exec", far, "ping", "-q", "-i", "0.05", "-w", "30", "192.0.2.1"]
    with subprocess.Popen(ping, stdout=subprocess.DEVNULL) as pinging:
        try:
            options = ("--format", "json", "--attach", "native", "--interval", "0.5")
            snapshot = run("ip", "netns", "exec", near, installed / "bpftop", "snapshot", "port", *options)
        finally:
            pinging.terminate()
    (interface,) = json.loads(snapshot)["interfaces"]
    assert (interface["hooks"]["rx"]["hook"], interface["hooks"]["rx"]["mode"]) == ("xdp", "native")
    received = {row["name"]: row["packets"] for row in interface["protocols"] if row["direction"] == "rx"}
    assert received["ICMP"] >= 5
    assert "xdp" not in run("ip", "-n", near, "link", "show", "port")


@pytest.mark.needs("dpkg-deb", "dpkg-shlibdeps", "strip")
def test_debian_package(wheel: Path, tmp_path: Path) -> None:
    package = run("env", "DEBEMAIL=maintainer@example.org", ROOT / "contrib/build-deb", wheel, tmp_path).strip()
    python = Path("/usr/bin/python3").resolve().name
    depends = run("dpkg-deb", "--field", package, "Depends")
    assert depends.startswith(f"{python}, iproute2, libc6 ")
    contents = run("dpkg-deb", "--contents", package)
    for path in (
        "/usr/bin/bpftop -> ../lib/bpftop/bin/bpftop",
        f"/usr/lib/bpftop/lib/{python}/site-packages/bpftop/objects/counter.bpf.o",
        "/usr/share/man/man1/bpftop.1.gz",
        "/usr/share/bash-completion/completions/bpftop",
        "/usr/share/zsh/vendor-completions/_bpftop",
        "/usr/share/fish/vendor_completions.d/bpftop.fish",
        "/usr/share/doc/bpftop/copyright",
        "/usr/share/doc/bpftop/examples/ring.conf",
        "/usr/lib/systemd/system/bpftop-record@.service",
    ):
        assert f" .{path}\n" in contents
    assert ".pyc" not in contents
    assert str(tmp_path) not in contents


def test_install_and_uninstall(wheel: Path, tmp_path: Path) -> None:
    """Install into a folder of the test: the command runs, a second time replaces the first, nothing is left behind."""
    script: list[str | Path] = ["env", f"PREFIX={tmp_path}", ROOT / "contrib/install"]
    for _ in range(2):
        run(*script, wheel)
    assert re.fullmatch(r"bpftop \d.*\n", run(tmp_path / "bin/bpftop", "--version"))
    assert (tmp_path / "bin/bpftop").resolve() == tmp_path / "lib/bpftop/bin/bpftop"
    for page in ("man/man1/bpftop.1", "bash-completion/completions/bpftop", "zsh/site-functions/_bpftop"):
        assert (tmp_path / "share" / page).resolve() == tmp_path / "lib/bpftop/share" / page
    cached = next((tmp_path / "lib/bpftop").rglob("entry.cpython-*.pyc"))
    assert b"bpftop.new" not in cached.read_bytes()
    run(*script, "--remove")
    assert not [path for path in tmp_path.rglob("*") if not path.is_dir() or "bpftop" in path.name]
