"""The build: setuptools' build_ext makes the cffi extension that talks to libbpf, and the BPF objects.

setuptools finds :class:`BuildExt` through ``tool.setuptools.cmdclass`` and loads this file by its path, in the folder
of pyproject.toml. It imports nothing of bpftop, because no part of bpftop can be imported before it is built.

* ``bpftop/kernel/libbpf.cdef.h`` and ``bpf_objects/bpftop.h`` declare, ``bpftop/kernel/*/*.c`` define: together they
  are ``bpftop.kernel._libbpf``, for the stable ABI.
* Each ``bpf_objects/NAME.bpf.c`` becomes ``bpftop/objects/NAME.bpf.o``, little endian, with BTF and without DWARF.

An editable install puts both beside their sources, a wheel contains both. Run as a script, this file says in one line
what the build would miss here, with exit code 1.
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
SHARED_HEADER = BPF_SOURCES / "bpftop.h"

# What the headers must offer, and the Debian package that has it. libbpf 1.0 dropped the calls that 0.x had for the
# same things, so nothing below it compiles.
HEADER_CHECKS = (
    ("#include <Python.h>", "Python's C headers are missing; install python3-dev"),
    ("#include <bpf/libbpf.h>", "libbpf's headers are missing; install libbpf-dev"),
    (
        "#include <bpf/libbpf_version.h>\n#if LIBBPF_MAJOR_VERSION < 1\n#error\n#endif",
        "libbpf is older than 1.0; install a newer libbpf-dev, or the bpftop wheel, which brings its own",
    ),
)

# v3 is what kernel 5.10 can load; bpfel serves x86-64 and arm64 with one file.
BPF_FLAGS = ("-target", "bpfel", "-mcpu=v3", "-O2", "-g", "-Wall", "-Werror")


def shared_header_as_cdef(header: str) -> str:
    """The shared header in the dialect of cffi's ``cdef``, which knows no directive but ``#define NAME number``.

    An integer is kept, any other value is left to the C compiler (``#define NAME ...``), and all other directives (the
    include guard) go.
    """
    lines = []
    for line in header.replace("\\\n", " ").splitlines():
        define = re.match(r"\s*#\s*define\s+(\w+)\s+(.+)", line)
        if define:
            name, value = define[1], re.split(r"/[*/]", define[2])[0].strip()
            lines.append(f"#define {name} {value if re.fullmatch(r'0[xX][0-9a-fA-F]+|[0-9]+', value) else '...'}")
        elif not line.lstrip().startswith("#"):
            lines.append(line)
    return "\n".join(lines)


def write_cffi_source(module: str, target: Path) -> None:
    """Write the C source of the extension ``module`` to the file ``target``."""
    from cffi import FFI  # build time only, and not before the compiler was found

    ffi = FFI()
    ffi.cdef(shared_header_as_cdef(SHARED_HEADER.read_text()))
    ffi.cdef(CDEF.read_text())
    includes = ["bpf/bpf.h", "bpf/btf.h", "bpf/libbpf.h", "linux/if_link.h", "bpftop.h"]
    includes += [
        str(source.relative_to(KERNEL_ROOM)) for source in sorted(KERNEL_ROOM.rglob("*.c"), key=lambda path: path.name)
    ]
    ffi.set_source(module, "".join(f'#include "{name}"\n' for name in includes))
    target.parent.mkdir(parents=True, exist_ok=True)
    ffi.emit_c_code(str(target))


def check_headers() -> None:
    """Say in one sentence which header is missing, instead of a page of compiler errors. Raises PlatformError."""
    compiler = shlex.split(os.environ.get("CC") or str(sysconfig.get_config_var("CC")))
    flags = shlex.split(f"{os.environ.get('CPPFLAGS', '')} {os.environ.get('CFLAGS', '')}")
    command = [*compiler, *flags, f"-I{sysconfig.get_path('include')}", "-fsyntax-only", "-x", "c", "-"]
    if shutil.which(compiler[0]) is None:
        raise PlatformError(f"the C compiler, {compiler[0]}, is missing; install gcc")
    for source, sentence in HEADER_CHECKS:
        if subprocess.run(command, input=source, text=True, capture_output=True).returncode:
            raise PlatformError(sentence)


def find_bpf_tools() -> tuple[str, str]:
    """The paths of clang (or what the environment calls CLANG) and of its llvm-strip. Raises PlatformError."""
    clang = shutil.which(os.environ.get("CLANG", "clang"))
    if clang is None:
        raise PlatformError("clang, which compiles the BPF programs, is missing; install clang and llvm")
    # clang names the strip of its own version, which need not be on PATH.
    named = subprocess.run([clang, "-print-prog-name=llvm-strip"], text=True, capture_output=True, check=True)
    strip = shutil.which(named.stdout.strip())
    if strip is None:
        raise PlatformError("llvm-strip, which takes DWARF out of the BPF programs, is missing; install llvm")
    return clang, strip


def compile_bpf_object(source: Path, target: Path, clang: str, strip: str) -> None:
    """Compile the BPF program ``source`` to ``target``. Raises PlatformError with clang's own words."""
    # Debian keeps asm/types.h in a folder that clang does not search for the bpf target.
    multiarch = Path("/usr/include") / f"{os.uname().machine}-linux-gnu"
    include = ["-isystem", str(multiarch)] if multiarch.is_dir() else []
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_suffix(".tmp")
    # Replaced at the end, so that a bpftop that starts meanwhile reads the old object or the new one.
    for command in (
        [clang, *BPF_FLAGS, *include, "-c", str(source), "-o", str(scratch)],
        [strip, "-g", str(scratch)],
    ):
        outcome = subprocess.run(command, text=True, capture_output=True)
        if outcome.returncode:
            scratch.unlink(missing_ok=True)
            raise PlatformError(f"{source} does not compile\n{outcome.stderr}")
    scratch.replace(target)


class BuildExt(build_ext):
    """setuptools' build_ext with the two generated things; see the module's docstring."""

    def run(self) -> None:
        check_headers()
        clang, strip = find_bpf_tools()
        super().run()
        wanted = self._bpf_objects()
        for source, target in wanted.items():
            compile_bpf_object(source, target, clang, strip)
        # Objects of sources that are gone would still be found at run time.
        for stale in set(self._objects_folder().glob("*.o")) - set(wanted.values()):
            stale.unlink()

    def build_extensions(self) -> None:
        # A Python built with --enable-shared outside /usr (pyenv) links every extension with a RUNPATH of its own
        # library folder, which means nothing on another machine.
        self.compiler.linker_so = [word for word in self.compiler.linker_so if not word.startswith("-Wl,-rpath")]
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        generated = Path(self.build_temp) / f"{ext.name.rpartition('.')[2]}.c"
        write_cffi_source(ext.name, generated)
        ext.sources = [str(generated)]
        ext.depends = self.get_source_files()
        super().build_extension(ext)

    def get_source_files(self) -> list[str]:
        """All that goes into the build: an sdist holds these files, and a change of any of them compiles again."""
        found = [CDEF, *KERNEL_ROOM.rglob("*.c"), *BPF_SOURCES.glob("*.[ch]")]
        return sorted(map(str, found))

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
