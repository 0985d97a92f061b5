"""Results of the build: BPF objects that load on kernels without BTF, and cffi declarations from the C headers."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from bpftop.kernel import _libbpf
from bpftop.kernel.build import header_as_cdef

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "bpf_objects").glob("*.bpf.c"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_source_is_built_with_its_licence(source: Path) -> None:
    assert "SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause" in source.read_text().splitlines()[0]
    with (ROOT / "bpftop" / "objects" / f"{source.stem}.o").open("rb") as built:
        licence = ELFFile(built).get_section_by_name("license")
        assert licence is not None
        assert licence.data() == b"Dual BSD/GPL\0"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_packet_programs_have_no_core_relocations(source: Path) -> None:
    """With a CO-RE relocation, libbpf asks for the kernel's BTF: ESRCH on kernels without. Tracing needs BTF anyway."""
    with (ROOT / "bpftop" / "objects" / f"{source.stem}.o").open("rb") as built:
        sections = {section.name: section for section in ELFFile(built).iter_sections()}
        # struct btf_ext_header (Documentation/bpf/btf.rst): core_relo_len is its last word, in headers that have it.
        extension = sections[".BTF.ext"].data()
        header_length = struct.unpack_from("<I", extension, 4)[0]
        relocations_length = struct.unpack_from("<I", extension, 28)[0] if header_length >= 32 else 0
    assert not relocations_length or not any(name.startswith(("xdp", "tc")) for name in sections)


def test_extension_has_no_run_path() -> None:
    """A pyenv Python adds its own RUNPATH to extensions; a wheel has auditwheel's $ORIGIN only."""
    with Path(_libbpf.__file__).open("rb") as built:
        dynamic = ELFFile(built).get_section_by_name(".dynamic")
        assert isinstance(dynamic, DynamicSection)
        assert not {"DT_RPATH", "DT_RUNPATH"} & {tag.entry.d_tag for tag in dynamic.iter_tags()}


def test_header_becomes_cdef() -> None:
    header = """\
#ifndef GUARD
#define GUARD
#define ROWS 264 /* of 512 */
#define MASK (1 << \\
              3)
struct cell { int rows; };
#ifndef FOR_CFFI
static inline int twice(int x) { return 2 * x; }
#endif
#endif
"""
    assert header_as_cdef(header) == "#define ROWS 264\n#define MASK ...\nstruct cell { int rows; };"
