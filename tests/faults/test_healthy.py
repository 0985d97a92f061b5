"""Traffic with which nothing is wrong is called nothing worse than noteworthy. `make faults` has all kinds, in full."""

from __future__ import annotations

import time

import pytest

from bpftop.demo.faults.namespace_changes import inside, ip
from bpftop.demo.lab import Lab
from bpftop.demo.sides import WATCHED
from tests.faults.healthy.base import Healthy
from tests.faults.healthy.traffic import AuthoritativeDns, ShortConnections, SingleFlow
from tests.faults.suite.calm import BRIEF, stay_calm
from tests.faults.suite.watching import NS, Watcher, told

pytestmark = pytest.mark.bpf


def test_interface_that_is_switched_off_and_on() -> None:
    """An admin down takes the carrier, too, and is no fault; nor is the link flapping when it is back."""
    with Lab(quiet=True) as lab, Watcher(lab) as watcher:
        watched = inside(lab, WATCHED)
        watcher.past(watcher.began_ns + 4 * NS)
        for order in ("down", "up"):
            ip(watched, f"link set {WATCHED.interface} {order}")
            watcher.past(time.monotonic_ns() + 5 * NS)
        last = watcher.newest
    assert last is not None
    interface = last.interfaces[0]
    assert (interface.state, interface.admin_up, interface.carrier) == ("up", True, True)
    said = {found.id: told(m, found) for m in watcher.moments for found in m.diagnosis.findings}
    assert "no-carrier" not in said, said


@pytest.mark.parametrize("kind", [ShortConnections, AuthoritativeDns, SingleFlow], ids=lambda kind: kind.id)
def test_no_alarm_from_its_begin_nor_from_its_middle(kind: type[Healthy]) -> None:
    calm = stay_calm(kind, BRIEF)
    assert not calm.complaints, str(calm)
    assert not [remark for remark in calm.remarks if remark.startswith("cpu-imbalance")], (
        "not worth a line at its start"
    )
