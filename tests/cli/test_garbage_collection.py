"""The garbage collector is off during the imports of a start, and on afterwards."""

from __future__ import annotations

import gc

import pytest

from bpftop.cli.garbage_collection import garbage_kept, look_for_cycles_by


def failed_import() -> None:
    with garbage_kept():
        assert not gc.isenabled()
        raise ImportError


def test_garbage_collection_is_on_after_a_failed_import() -> None:
    with pytest.raises(ImportError):
        failed_import()
    assert gc.isenabled()


def test_later_collections_leave_out_what_was_imported() -> None:
    before = gc.get_freeze_count()
    with garbage_kept():
        pass
    assert gc.get_freeze_count() > before
    gc.unfreeze()


def test_the_search_for_cycles_waits_for_many_objects() -> None:
    usual = gc.get_threshold()
    try:
        look_for_cycles_by(2)
        assert gc.get_threshold() == (5_000, *usual[1:])
        look_for_cycles_by(301)
        assert gc.get_threshold() == (33 * 301, *usual[1:])
    finally:
        gc.set_threshold(*usual)
