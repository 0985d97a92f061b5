"""The garbage collector is off during the imports of a start, and on afterwards."""

from __future__ import annotations

import gc

import pytest

from bpftop.cli.garbage_collection import garbage_kept


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
