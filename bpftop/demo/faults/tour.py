"""Faults in the demo's namespaces one after the other, with calm times between them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import cycle

from bpftop.config.resources import start_thread
from bpftop.demo.faults.fault import Fault
from bpftop.demo.faults.offers import Offer
from bpftop.demo.lab import Lab
from bpftop.errors import BpftopError

CALM_S = 8.0
"""Time before each fault: the checks then know how it was without, and the finding before has cleared."""
TOUR_S, ALONE_S = 30.0, 100.0
"""Duration of a fault of several, and of a fault alone; its workers end by themselves after 120 s."""


class Tour:
    """Makes the offered faults in turn, again and again, from ``start`` to ``stop``.

    While it runs, its thread is the only user of the lab.
    """

    def __init__(self, lab: Lab, offers: Mapping[str, Offer]) -> None:
        self._lab = lab
        self._offers = offers
        self._lasts_s = TOUR_S if len(offers) > 1 else ALONE_S
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faults", daemon=True)
        self._stack = ExitStack()
        self._prepared: Fault | None = None
        self._words = ""
        self._until_s = 0.0

    def start(self) -> None:
        """Prepare the first fault, and go on in a thread. Raises BpftopError where it cannot be made here."""
        offer = next(iter(self._offers.values()))
        self._prepared = self._stack.enter_context(offer.load()(self._lab))
        start_thread(self._thread)

    def stop(self) -> None:
        """End the fault and undo what it changed. May be repeated."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._stack.close()

    def remarks(self) -> Iterator[str]:
        """Return the sentence about the present fault, with the seconds that are left."""
        if self._words:
            yield self._words.format(max(0, math.ceil(self._until_s - time.monotonic())))

    def _run(self) -> None:
        for name, offer in cycle(self._offers.items()):
            try:
                fault, self._prepared = self._prepared or self._stack.enter_context(offer.load()(self._lab)), None
                self._say(f"{name} begins in {{}} s: {offer.happens}", CALM_S)
                if not self._ended.wait(CALM_S):
                    fault.begin()
                    self._say(f"{offer.look}; {{}} s left", self._lasts_s)
                    self._ended.wait(self._lasts_s)
                    fault.end()
            except (BpftopError, OSError) as error:
                self._say(f"{name} cannot be made here: {str(error).replace('{', '{{').replace('}', '}}')}", CALM_S)
                self._ended.wait(CALM_S)
            finally:
                self._stack.close()
            if self._ended.is_set():
                return

    def _say(self, words: str, seconds: float) -> None:
        self._words, self._until_s = words, time.monotonic() + seconds
