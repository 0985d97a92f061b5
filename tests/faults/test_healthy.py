"""Traffic with which nothing is wrong is called nothing worse than noteworthy. `make faults` has all kinds, in full."""

from __future__ import annotations

import pytest

from tests.faults.healthy.base import Healthy
from tests.faults.healthy.traffic import AuthoritativeDns, ShortConnections, SingleFlow
from tests.faults.suite.calm import BRIEF, stay_calm

pytestmark = pytest.mark.bpf


@pytest.mark.parametrize("kind", [ShortConnections, AuthoritativeDns, SingleFlow], ids=lambda kind: kind.id)
def test_no_alarm_from_its_begin_nor_from_its_middle(kind: type[Healthy]) -> None:
    calm = stay_calm(kind, BRIEF)
    assert not calm.complaints, str(calm)
