"""The C of the extension, built with AddressSanitizer and UndefinedBehaviorSanitizer, on answers of a made-up kernel.

``c/TARGET.c`` is a fuzz target, and ``c/TARGET.inputs`` has its inputs, one per line in hexadecimal digits: those that
libFuzzer found to reach new code, and those that once were findings.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent / "c"
ROOT = FOLDER.parents[2]
NAMES = sorted(path.stem for path in FOLDER.glob("*.inputs"))
LIBFUZZER = ("clang", "-fsanitize=fuzzer,address,undefined")
SANITIZED = ("gcc", "-fsanitize=address,undefined")
"""gcc has these sanitizers wherever it is; clang has libFuzzer only with the package libclang-rt-dev."""

_FLAGS = ("-g", "-O1", "-fno-sanitize-recover=all", "-I", str(ROOT / "bpf_objects"), "-I", str(ROOT / "bpftop/kernel"))
_SLOW_S = 5
"""An input that takes longer is a finding."""


class BuildFailed(Exception):
    """The compiler's messages."""


class Finding(Exception):
    """The messages of a sanitizer or of libFuzzer."""


def build(folder: Path, compiler: Sequence[str], names: Sequence[str]) -> dict[str, Path]:
    """Compile targets into an empty folder; with ``SANITIZED`` they read inputs from files (``c/run_inputs.c``).

    Return the programs. Raises BuildFailed.
    """
    shared = [*(ROOT / "bpftop/kernel").glob("*/*.c"), FOLDER / "fake_kernel.c"]
    shared += [FOLDER / "run_inputs.c"] if compiler == SANITIZED else []
    _compile([*compiler, *_FLAGS, "-c", *map(str, shared)], folder)
    objects = [str(path) for path in folder.glob("*.o")]
    programs = {name: folder / name for name in names}
    for name, program in programs.items():
        _compile([*compiler, *_FLAGS, str(FOLDER / f"{name}.c"), *objects, "-o", str(program), "-lbpf"], folder)
    return programs


def _compile(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise BuildFailed(done.stderr)


def inputs(name: str) -> list[bytes]:
    """Return the inputs of a target."""
    return [bytes.fromhex(line) for line in (FOLDER / f"{name}.inputs").read_text().splitlines()]


def add_input(name: str, content: bytes) -> None:
    """Add an input that was a finding."""
    with (FOLDER / f"{name}.inputs").open("a") as file:
        file.write(f"{content.hex()}\n")


def run_inputs(name: str, program: Path, folder: Path, mutations: int) -> int:
    """Try each input and ``mutations`` changes of each, the same each time. Return how many. Raises Finding."""
    command = [str(program), str(mutations), *map(str, _files(name, folder))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Finding(done.stderr)
    return int(done.stdout.split()[0])


def fuzz(name: str, program: Path, folder: Path, seconds: float) -> int:
    """Let libFuzzer try inputs. Return how many; a finding is added to the inputs. Raises Finding."""
    corpus, artifacts = folder / f"corpus-{name}", folder / f"finding-{name}-"
    corpus.mkdir()
    list(_files(name, corpus))
    limits = (f"-max_total_time={max(1, int(seconds))}", f"-timeout={_SLOW_S}", "-max_len=2048")
    command = [str(program), str(corpus), *limits, f"-artifact_prefix={artifacts}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    for artifact in folder.glob(f"{artifacts.name}*"):
        add_input(name, artifact.read_bytes())
    if done.returncode:
        raise Finding(done.stderr)
    return int(done.stderr.rpartition("Done ")[2].split()[0])


def _files(name: str, folder: Path) -> Iterator[Path]:
    """Write each input to a file of its own."""
    for number, content in enumerate(inputs(name)):
        path = folder / f"{name}-{number}"
        path.write_bytes(content)
        yield path
