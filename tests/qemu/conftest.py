"""The guests; where there can be none, tests skip with the reason."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.mirrors import Unobtainable
from tests.qemu.guests import Guests


@pytest.fixture(scope="session")
def guests(request: pytest.FixtureRequest) -> Iterator[Guests]:
    """Yield the guests of the kernels that the selected tests need."""
    calls = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    booted = Guests(tuple(dict.fromkeys(params["kernel"] for params in calls if "kernel" in params)))
    yield booted
    booted.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    try:
        yield
        return
    except Unobtainable as error:
        reason = str(error)
    pytest.skip(reason)
