"""Strategies for arbitrary samples: any text, any count, rows and CPUs that come and go."""

from __future__ import annotations

from array import array

from hypothesis import strategies as st

from bpftop.model.device import Bond, BondLeg, DeviceFacts, Irq, Queue
from bpftop.model.families import FAMILIES, Family
from bpftop.model.sample import DIRECTIONS, Hook, Interface, Key, Reading, Sample

COUNTS = st.one_of(st.integers(0, 9), st.integers(0, (1 << 64) - 1))
TEXTS = st.text(max_size=8)
NUMBERS = st.integers(0, 1 << 62)
NUMBERS_ALONE = ("cpu", "protocol", "port", "type")
CPUS = st.lists(st.integers(0, 5), max_size=3).map(tuple)

hooks = st.builds(
    Hook,
    st.sampled_from(["xdp", "tcx", "clsact", "none"]),
    st.sampled_from(["native", "generic", None]),
    st.none() | NUMBERS,
    st.none() | st.floats(0, 1e6),
    st.none() | st.booleans(),
)
words = st.none() | st.dictionaries(TEXTS, NUMBERS, max_size=2)
facts = st.builds(
    DeviceFacts,
    firmware=st.none() | TEXTS,
    ring=words,
    coalesce=words,
    features=st.none() | st.lists(TEXTS, max_size=2).map(tuple),
    rss=st.none() | st.dictionaries(st.integers(0, 9), NUMBERS, max_size=2),
    numa_cpus=st.none() | CPUS,
    queues=st.none()
    | st.lists(st.builds(Queue, st.sampled_from(DIRECTIONS), NUMBERS, st.none() | CPUS), max_size=2).map(tuple),
    irqs=st.none() | st.lists(st.builds(Irq, NUMBERS, TEXTS, st.none() | CPUS, st.none()), max_size=2).map(tuple),
    bond=st.none()
    | st.builds(
        Bond, TEXTS, st.none() | TEXTS, st.lists(st.builds(BondLeg, TEXTS, st.booleans()), max_size=2).map(tuple)
    ),
    unreadable=st.dictionaries(TEXTS, TEXTS, max_size=2),
)
interfaces = st.builds(
    Interface,
    label=TEXTS,
    name=TEXTS,
    ifindex=NUMBERS,
    state=st.sampled_from(["up", "down", "gone", "moved"]),
    kind=st.none() | TEXTS,
    mtu=st.none() | NUMBERS,
    hooks=st.dictionaries(st.sampled_from(DIRECTIONS), hooks, max_size=2),
    notices=st.lists(TEXTS, max_size=2).map(tuple),
    offer=st.none() | TEXTS,
    facts=st.none() | facts,
)


@st.composite
def readings(draw: st.DrawFn, family: Family, cpus: int, depth: int = 0) -> Reading:
    words = st.one_of(st.integers(0, 3), st.sampled_from("ab"), TEXTS)
    labels = st.tuples(*[st.integers(0, 3) if label in NUMBERS_ALONE else words for label in family.labels])
    keys: list[Key] = draw(st.lists(labels, max_size=3, unique=True))
    cells = len(keys) * len(family.columns) * (cpus if family.per_cpu else 1)
    values = draw(st.lists(COUNTS, min_size=cells, max_size=cells))
    missing = draw(st.sets(st.integers(0, cells - 1), max_size=2)) if cells else set()
    slow = family.every_ns > 0 and depth == 0
    previous = draw(st.none() | readings(family, cpus, 1)) if slow else None
    return Reading(
        family.name, draw(NUMBERS), draw(NUMBERS), draw(st.integers(0, 3)), tuple(keys), array("Q", values),
        frozenset(missing), previous,
    )  # fmt: skip


@st.composite
def samples(draw: st.DrawFn, cpus: int | None = None) -> Sample:
    possible = cpus or draw(st.integers(1, 3))
    names = draw(st.lists(st.sampled_from(sorted(FAMILIES)), max_size=6, unique=True))
    by_name = {f"{name}/{draw(TEXTS)}": draw(readings(FAMILIES[name], possible)) for name in names}
    return Sample(
        draw(NUMBERS), draw(TEXTS), draw(TEXTS), draw(NUMBERS), draw(NUMBERS), possible, draw(CPUS),
        tuple(draw(st.lists(interfaces, max_size=2))), by_name, draw(st.dictionaries(TEXTS, TEXTS, max_size=2)),
        draw(TEXTS),
    )  # fmt: skip
