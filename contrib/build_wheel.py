"""Build the wheel that needs no system library: ``build_wheel.py FOLDER`` (run by ``make wheel``).

The wheel is built from an sdist, so that no leftover of the checkout gets in. auditwheel copies libbpf and libelf into
the wheel, and this script their licence texts from the Debian packages. The wheel is checked, because setuptools can
make a wheel without the extension, or for one Python only, and report success.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import StringTableSection

ROOT = Path(__file__).resolve().parent.parent
# 1.55 MB from Debian 12, 0.3 MB more where libelf brings libzstd along (Debian 13, Ubuntu 24.04). A larger wheel
# contains an unintended library.
LIMIT_BYTES = 2_000_000


def run(*command: str | Path) -> None:
    """Run a command of this Python's environment quietly. If it fails, print its output and end the build."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    outcome = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if outcome.returncode:
        sys.exit(f"{outcome.stdout}{outcome.stderr}\nbuild_wheel: {' '.join(map(str, command))} failed")


def only(folder: Path, pattern: str) -> Path:
    """Return the only path in ``folder`` that matches."""
    paths = list(folder.glob(pattern))
    if len(paths) != 1:
        sys.exit(f"build_wheel: expected one {pattern} in {folder}, found {len(paths)}")
    return paths[0]


def add_licences(wheel: Path, scratch: Path) -> Path:
    """Put the licence text of each grafted library into the wheel; returns the new wheel's path."""
    run(sys.executable, "-m", "wheel", "unpack", "--dest", scratch / "unpacked", wheel)
    tree = only(scratch / "unpacked", "bpftop-*")
    for library in (tree / "bpftop.libs").iterdir():
        # auditwheel puts a hash before the first dot: libbpf-1a2b3c4d.so.1.1.2, libelf-0-1a2b3c4d.188.so
        original = re.sub(r"-[0-9a-f]{8}\.", ".", library.name, count=1)
        owner = subprocess.run(["dpkg-query", "-S", f"*/{original}"], capture_output=True, text=True, check=True)
        package = owner.stdout.split(":")[0]
        text = Path("/usr/share/doc") / package / "copyright"
        shutil.copy(text, only(tree, "*.dist-info") / "licenses" / f"{package}.txt")
    packed = scratch / "packed"
    packed.mkdir()
    run(sys.executable, "-m", "wheel", "pack", "--dest", packed, tree)
    return only(packed, "*.whl")


def faults(wheel: Path) -> list[str]:
    """Check a finished wheel and return its faults as sentences."""
    sentences = []
    if not re.fullmatch(r"bpftop-[^-]+-cp310-abi3-manylinux_\d+_\d+_\w+\.whl", wheel.name):
        sentences.append(f"{wheel.name} is not tagged cp310-abi3-manylinux")
    if wheel.stat().st_size > LIMIT_BYTES:
        sentences.append(f"{wheel.stat().st_size} bytes, more than {LIMIT_BYTES}")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        wanted = {"bpftop/kernel/_libbpf.abi3.so", "bpftop/py.typed"}
        wanted |= {f"bpftop/objects/{source.stem}.o" for source in ROOT.glob("bpf_objects/*.bpf.c")}
        wanted |= {f"bpftop/themes/{theme.name}" for theme in ROOT.glob("themes/*.yaml")}
        wanted |= {str(schema.relative_to(ROOT)) for schema in ROOT.glob("bpftop/**/*.schema.json")}
        shared = f"{'-'.join(wheel.name.split('-')[:2])}.data/data/share"
        wanted |= {f"{shared}/man/man1/{page.name}" for page in ROOT.glob("contrib/man/*.1")}
        wanted |= {f"{shared}/bash-completion/completions/bpftop", f"{shared}/zsh/site-functions/_bpftop"}
        wanted |= {f"{shared}/fish/vendor_completions.d/bpftop.fish"}
        sentences += [f"{name} is missing" for name in sorted(wanted - names)]
        for name in sorted(names):
            if re.search(r"\.so(\.|$)", name):
                with archive.open(name) as library:
                    sentences += [f"{name}: {fault}" for fault in linking_faults(ELFFile(library), names)]
    return sentences


def linking_faults(library: ELFFile, names: set[str]) -> list[str]:
    """Return search paths outside the wheel, and BPF libraries that the wheel needs but does not contain."""
    sentences = []
    dynamic, strings = library.get_section_by_name(".dynamic"), library.get_section_by_name(".dynstr")
    assert isinstance(dynamic, DynamicSection)
    assert isinstance(strings, StringTableSection)
    for tag in dynamic.iter_tags():
        if tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
            folders = strings.get_string(tag.entry.d_val).split(":")
            sentences += [f"search path {folder}" for folder in folders if not folder.startswith("$ORIGIN")]
        elif tag.entry.d_tag == "DT_NEEDED":
            needed = strings.get_string(tag.entry.d_val)
            if re.match(r"lib(bpf|elf|zstd)\b", needed) and f"bpftop.libs/{needed}" not in names:
                sentences.append(f"needs {needed} of the system")
    return sentences


def main(folder: Path) -> None:
    """Build, check and put the wheel into ``folder``, and print its path."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        script = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
        run(sys.executable, "-c", script, scratch)
        shutil.rmtree(ROOT / "bpftop.egg-info")
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
        run(*pip, "wheel", "--no-build-isolation", "--no-deps", "-w", scratch / "plain", only(scratch, "*.tar.gz"))
        run(sys.executable, "-m", "auditwheel", "repair", "-w", scratch / "repaired", only(scratch / "plain", "*.whl"))
        wheel = add_licences(only(scratch / "repaired", "*.whl"), scratch)
        sentences = faults(wheel)
        if sentences:
            sys.exit("build_wheel: " + "; ".join(sentences))
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(wheel, folder)
        print(folder / wheel.name, f"{wheel.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: build_wheel.py FOLDER")
    main(Path(sys.argv[1]))
