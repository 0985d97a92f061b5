"""bpftop on stock Debian kernels, from 5.10 to the newest one in backports: real packets, counted in a guest."""

from __future__ import annotations

import pytest

from tests.qemu.guest.names import PROOFS
from tests.qemu.guests import Guests
from tests.qemu.kernels import RELEASES

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("proof", PROOFS)
@pytest.mark.parametrize("kernel", RELEASES)
def test_guest(guests: Guests, kernel: str, proof: str) -> None:
    outcome = guests.outcome(kernel, proof)
    said = f"Linux {outcome.version}: {outcome.said}"
    print(said)  # `pytest -rP` shows it
    if not outcome.held:
        pytest.fail(said, pytrace=False)


@pytest.mark.parametrize("kernel", RELEASES)
def test_kernel_has_no_complaint(guests: Guests, kernel: str) -> None:
    """Nothing that bpftop does makes the kernel warn."""
    console = guests.console(kernel)
    for word in ("WARNING:", "BUG:", "Oops", "Call Trace"):
        assert word not in console, console
