"""BPF programs of the tests' own, compiled with the flags of those in bpf_objects."""

from __future__ import annotations

import subprocess
from pathlib import Path

FLAGS = Path(__file__).parents[2] / "bpf_objects/compile_flags.txt"


def compiled(name: str, source: str, folder: Path) -> str:
    """Compile the C source in the folder, and return the path of its object file, ``name``.o."""
    (folder / f"{name}.bpf.c").write_text(source)
    command = ["clang", *FLAGS.read_text().split(), "-c", f"{name}.bpf.c", "-o", f"{name}.o"]
    subprocess.run(command, cwd=folder, check=True)
    return str(folder / f"{name}.o")
