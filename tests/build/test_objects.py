"""What the build makes: BPF objects that load on kernels without BTF, and cffi declarations from the shared header."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from bpftop.kernel import _libbpf
from bpftop.kernel.build import shared_header_as_cdef

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "bpf_objects").glob("*.bpf.c"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_source_is_an_object_with_its_licence(source: Path) -> None:
    assert "SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause" in source.read_text().splitlines()[0]
    with (ROOT / "bpftop" / "objects" / f"{source.stem}.o").open("rb") as built:
        licence = ELFFile(built).get_section_by_name("license")
        assert licence is not None
        assert licence.data() == b"Dual BSD/GPL\0"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_packet_programs_have_no_core_relocations(source: Path) -> None:
    """A CO-RE relocation makes libbpf ask for the kernel's BTF: ESRCH on kernels without (tracing needs it anyway)."""
    with (ROOT / "bpftop" / "objects" / f"{source.stem}.o").open("rb") as built:
        sections = {section.name: section for section in ELFFile(built).iter_sections()}
        if not any(name.startswith(("xdp", "tc")) for name in sections):
            return
        # struct btf_ext_header (Documentation/bpf/btf.rst): core_relo_len is its last word, in headers that have it.
        extension = sections[".BTF.ext"].data()
        header_length = struct.unpack_from("<I", extension, 4)[0]
        assert header_length < 32 or struct.unpack_from("<I", extension, 28)[0] == 0


def test_the_extension_searches_no_folder_of_the_builder() -> None:
    """A pyenv Python links extensions with a RUNPATH of its own; in a wheel auditwheel's $ORIGIN is all there is."""
    with Path(_libbpf.__file__).open("rb") as built:
        dynamic = ELFFile(built).get_section_by_name(".dynamic")
        assert isinstance(dynamic, DynamicSection)
        assert not {"DT_RPATH", "DT_RUNPATH"} & {tag.entry.d_tag for tag in dynamic.iter_tags()}


def test_shared_header_in_the_dialect_of_cffi() -> None:
    header = """\
#ifndef GUARD
#define GUARD
#define ROWS 264 /* of 512 */
#define MASK (1 << \\
              3)
struct cell { int rows; };
#endif
"""
    assert shared_header_as_cdef(header) == "#define ROWS 264\n#define MASK ...\nstruct cell { int rows; };"
