"""The build: setuptools' build_ext makes the cffi extension that talks to libbpf, and the BPF objects.

setuptools finds :class:`BuildExt` through ``tool.setuptools.cmdclass`` and loads this file by its path, in the folder
of pyproject.toml. This file imports nothing of bpftop, because bpftop cannot be imported before it is built.

* ``bpftop/kernel/*/NAME.c`` and libbpf become ``bpftop.kernel._libbpf``, for the stable ABI. cffi reads the
  declarations in ``libbpf.cdef.h``, in the header ``NAME.h`` beside each source, and in ``bpf_objects/*.h``.
* Each ``bpf_objects/NAME.bpf.c`` becomes ``bpftop/objects/NAME.bpf.o``, little endian, with BTF and without DWARF.

An editable install puts both beside their sources, a wheel contains both. Run as a script, this file prints in one line
what the build would miss on this machine, with exit code 1.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension
from setuptools.command.build_ext import build_ext
from setuptools.errors import PlatformError

KERNEL_ROOM = Path("bpftop/kernel")
BPF_SOURCES = Path("bpf_objects")
CDEF = KERNEL_ROOM / "libbpf.cdef.h"

# A source that must compile, and the sentence if it does not. libbpf 1.0 removed the functions of 0.x that did the same
# things, so older versions cannot work.
HEADER_CHECKS = (
    ("#include <Python.h>", "Python's C headers are missing; install python3-dev"),
    ("#include <bpf/libbpf.h>", "libbpf's headers are missing; install libbpf-dev"),
    (
        "#include <bpf/libbpf_version.h>\n#if LIBBPF_MAJOR_VERSION < 1\n#error\n#endif",
        "libbpf is older than 1.0; install a newer libbpf-dev, or the bpftop wheel, which brings its own",
    ),
)

# Editors and `make lint` read these flags too. v3 is what kernel 5.10 can load, bpfel serves x86-64 and arm64 with one
# file, and Debian keeps asm/types.h in a folder that clang does not search for the bpf target.
BPF_FLAGS = BPF_SOURCES / "compile_flags.txt"
# DWARF; relocations of BTF, which are for a linker and which libbpf skips; a label per branch. A third of the size.
STRIPPED = ("-g", "-R", ".rel.BTF", "-R", ".rel.BTF.ext", "-w", "-N", "LBB*")


def part_for_cffi(header: str) -> str:
    """Return a header without the parts for C alone: from ``#ifndef FOR_CFFI`` to its ``#endif``."""
    return re.sub(r"^#ifndef FOR_CFFI$.*?^#endif\n", "", header, flags=re.MULTILINE | re.DOTALL)


def header_as_cdef(header: str) -> str:
    """Translate a header to the dialect of cffi's ``cdef``, which knows no directive but ``#define NAME number``.

    A macro with an integer is kept, a macro with another value is left to the C compiler (``#define NAME ...``), and
    all other directives are removed.
    """
    lines = []
    for line in part_for_cffi(header).replace("\\\n", " ").splitlines():
        define = re.match(r"\s*#\s*define\s+(\w+)\s+(.+)", line)
        if define:
            name, value = define[1], re.split(r"/[*/]", define[2])[0].strip()
            lines.append(f"#define {name} {value if re.fullmatch(r'0[xX][0-9a-fA-F]+|[0-9]+', value) else '...'}")
        elif not line.lstrip().startswith("#"):
            lines.append(line)
    return "\n".join(lines)


def sources() -> list[Path]:
    """Return the C sources of the extension."""
    return sorted(KERNEL_ROOM.glob("*/*.c"))


def declared_headers() -> list[Path]:
    """Return the headers that cffi reads, each after the headers that it includes."""
    ordered: list[Path] = []

    def add(header: Path) -> None:
        for name in re.findall(r'^#include "(.+)"', part_for_cffi(header.read_text()), re.MULTILINE):
            add(next(path for path in (header.parent / name, BPF_SOURCES / name) if path.exists()))
        if header not in ordered:
            ordered.append(header)

    shared = sorted(path for path in BPF_SOURCES.glob("*.h") if not path.name.endswith(".bpf.h"))
    for header in (*shared, *(source.with_suffix(".h") for source in sources())):
        add(header)
    return ordered


def write_cffi_source(module: str, target: Path) -> None:
    """Write the C source of the extension ``module`` to the file ``target``."""
    from cffi import FFI  # at build time only, and not before the compiler was found

    ffi = FFI()
    ffi.cdef(CDEF.read_text())
    headers = declared_headers()
    for header in headers:
        ffi.cdef(header_as_cdef(header.read_text()))
    includes = ["bpf/bpf.h", "bpf/btf.h", "bpf/libbpf.h", "linux/if_link.h"]
    includes += [
        str(header.relative_to(KERNEL_ROOM if KERNEL_ROOM in header.parents else BPF_SOURCES)) for header in headers
    ]
    ffi.set_source(module, "".join(f'#include "{name}"\n' for name in includes))
    target.parent.mkdir(parents=True, exist_ok=True)
    ffi.emit_c_code(str(target))


def check_headers() -> None:
    """Raise PlatformError with one sentence if a header is missing, instead of a page of compiler errors."""
    compiler = shlex.split(os.environ.get("CC") or str(sysconfig.get_config_var("CC")))
    flags = shlex.split(f"{os.environ.get('CPPFLAGS', '')} {os.environ.get('CFLAGS', '')}")
    command = [*compiler, *flags, f"-I{sysconfig.get_path('include')}", "-fsyntax-only", "-x", "c", "-"]
    if shutil.which(compiler[0]) is None:
        raise PlatformError(f"the C compiler, {compiler[0]}, is missing; install gcc")
    for source, sentence in HEADER_CHECKS:
        if subprocess.run(command, input=source, text=True, capture_output=True).returncode:
            raise PlatformError(sentence)


def find_bpf_tools() -> tuple[str, str]:
    """Return the paths of clang (or of $CLANG) and of its llvm-strip. Raises PlatformError."""
    clang = shutil.which(os.environ.get("CLANG", "clang"))
    if clang is None:
        raise PlatformError("clang, which compiles the BPF programs, is missing; install clang and llvm")
    # clang prints the path of its own llvm-strip, which need not be on PATH.
    printed = subprocess.run([clang, "-print-prog-name=llvm-strip"], text=True, capture_output=True, check=True)
    strip = shutil.which(printed.stdout.strip())
    if strip is None:
        raise PlatformError("llvm-strip, which takes DWARF out of the BPF programs, is missing; install llvm")
    return clang, strip


def compile_bpf_object(source: Path, target: Path, clang: str, strip: str) -> None:
    """Compile the BPF program ``source`` to ``target``. Raises PlatformError with clang's error messages."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_suffix(".tmp")
    # The target is replaced at the end, so that a bpftop that starts meanwhile reads a complete object.
    for command in (
        [clang, *BPF_FLAGS.read_text().split(), "-c", str(source), "-o", str(scratch)],
        [strip, *STRIPPED, str(scratch)],
    ):
        outcome = subprocess.run(command, text=True, capture_output=True)
        if outcome.returncode:
            scratch.unlink(missing_ok=True)
            raise PlatformError(f"{source} does not compile\n{outcome.stderr}")
    scratch.replace(target)


class BuildExt(build_ext):
    """setuptools' build_ext, which also generates the cffi source and the BPF objects."""

    def run(self) -> None:
        check_headers()
        clang, strip = find_bpf_tools()
        super().run()
        objects = self._bpf_objects()
        for source, target in objects.items():
            compile_bpf_object(source, target, clang, strip)
        # An object whose source was deleted would still load at run time.
        for stale in set(self._objects_folder().glob("*.o")) - set(objects.values()):
            stale.unlink()

    def build_extensions(self) -> None:
        # A Python built with --enable-shared outside /usr (pyenv) gives every extension the RUNPATH of its library
        # folder, which does not exist on other machines.
        self.compiler.linker_so = [word for word in self.compiler.linker_so if not word.startswith("-Wl,-rpath")]
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        generated = Path(self.build_temp) / f"{ext.name.rpartition('.')[2]}.c"
        write_cffi_source(ext.name, generated)
        ext.sources = [str(generated), *map(str, sources())]
        ext.depends = self.get_source_files()
        super().build_extension(ext)

    def get_source_files(self) -> list[str]:
        """Return all inputs of the build: an sdist has these files, and a change of any of them compiles again."""
        return sorted(map(str, [BPF_FLAGS, *KERNEL_ROOM.rglob("*.[ch]"), *BPF_SOURCES.glob("*.[ch]")]))

    def get_outputs(self) -> list[str]:
        return [*super().get_outputs(), *map(str, self._bpf_objects().values())]

    def _objects_folder(self) -> Path:
        return Path("." if self.inplace else self.build_lib) / "bpftop" / "objects"

    def _bpf_objects(self) -> dict[Path, Path]:
        folder = self._objects_folder()
        return {source: folder / f"{source.stem}.o" for source in sorted(BPF_SOURCES.glob("*.bpf.c"))}


if __name__ == "__main__":
    try:
        check_headers()
        find_bpf_tools()
    except PlatformError as missing:
        print(f"bpftop: {missing}")
        sys.exit(1)
