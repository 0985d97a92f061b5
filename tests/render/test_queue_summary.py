"""The summary of queues, RSS and RPS in a few words, from one queue to many."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpftop.model.device import DeviceFacts, Irq, Queue
from bpftop.render.queue_summary import queue_phrases

ONE = DeviceFacts(queues=(Queue("rx", 0, ()), Queue("tx", 0, (0, 1))), irqs=(Irq(24, "eth0", (0, 1, 2, 3), (3,)),))


def many(count: int, *masks: tuple[int, ...]) -> DeviceFacts:
    queues = tuple(Queue("rx", i, masks[i % len(masks)] if masks else ()) for i in range(count))
    return DeviceFacts(queues=queues, irqs=tuple(Irq(40 + i, "q", None, (i,)) for i in range(count)))


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (ONE, "1 RX queue, IRQ 24 on CPU 3, RPS off"),
        (replace(ONE, irqs=(Irq(24, "eth0", (0, 2)),)), "1 RX queue, IRQ 24 on 2 CPUs (0,2), RPS off"),
        (replace(ONE, irqs=(Irq(24, "eth0"),)), "1 RX queue, IRQ 24 on CPUs -, RPS off"),
        (replace(ONE, irqs=()), "1 RX queue, no IRQ of its own, RPS off"),
        (DeviceFacts(), "queues -, IRQs -, RPS -"),
        (many(16), "16 RX queues, 16 IRQs on 16 CPUs (0-15), RPS off"),
        (many(4, (0, 1), ()), "4 RX queues, 4 IRQs on 4 CPUs (0-3), RPS of 2 queues to 2 CPUs (0-1)"),
        (many(2, (0, 2, 4, 6, 8)), "2 RX queues, 2 IRQs on 2 CPUs (0-1), RPS to 5 CPUs"),
        (
            replace(many(8), rss={0: 64, 1: 64, 2: 0}, ring={"rx": 512, "rx_max": 4096}, numa_node=1),
            "8 RX queues, RSS to 2 of them, 8 IRQs on 8 CPUs (0-7), RPS off, ring 512 of 4096, NUMA node 1",
        ),
        (replace(ONE, queues=(Queue("rx", 0, None),)), "1 RX queue, IRQ 24 on CPU 3, RPS -"),
    ],
)
def test_words(facts: DeviceFacts, text: str) -> None:
    assert ", ".join(queue_phrases(facts, "rx")) == text


def test_sending_has_its_own_queues_and_masks() -> None:
    assert queue_phrases(ONE, "tx")[::2] == ["1 TX queue", "XPS to 2 CPUs (0-1)"]
