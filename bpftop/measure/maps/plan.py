"""Requests and plans: the values of all axes become cells, and all limits are checked before the first measurement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from bpftop.errors import UsageError
from bpftop.kernel.measure import loops
from bpftop.measure.maps import geometry as geometries
from bpftop.measure.maps.geometry import KINDS, MEMORY_LIMIT_BYTES, Geometry
from bpftop.measure.maps.live_map import LiveMap

OPERATIONS: Mapping[str, int] = {
    "lookup": loops.LOOKUP,
    "update_existing": loops.UPDATE,
    "update_new": loops.INSERT,
    "delete": loops.DELETE,
    "get_next_key": loops.WALK,
    "lookup_batch": loops.LOOKUP_BATCH,
    "update_batch": loops.UPDATE_BATCH,
    "delete_batch": loops.DELETE_BATCH,
    "lookup_and_delete_batch": loops.TAKE_BATCH,
}
SINGLE_OF: Mapping[str, tuple[str, ...]] = {
    "lookup_batch": ("lookup",),
    "update_batch": ("update_existing",),
    "delete_batch": ("delete",),
    "lookup_and_delete_batch": ("lookup", "delete"),
}
"""Batch operation -> the single operations whose summed cost it is compared with."""

WALKS = frozenset({"get_next_key", "lookup_batch", "lookup_and_delete_batch"})
"""Operations that go through the map in its own order and ignore the keys of the caller."""

OWN_KEYS = frozenset({"update_new", "delete", "delete_batch", "lookup_and_delete_batch"})
"""Operations that insert or delete keys; each thread has keys of its own."""

WRITES = OWN_KEYS | {"update_existing", "update_batch"}

ACCESSES: Mapping[str, int] = {"sequential": loops.SEQUENTIAL, "uniform": loops.UNIFORM, "zipf": loops.ZIPF}
WALK = "walk"
"""Access of the operations in WALKS."""

SWEEP = (1, 4, 16, 64, 256, 1024, 4096)
BATCH_MAX = 1 << 20
RUNS_MIN, RUNS_MAX = 5, 1000
RUN_MS_MIN, RUN_MS_MAX = 1, 10_000
CELLS_MAX = 10_000
INSIDE_SHARE = 0.4
"""Length of a run inside the kernel, as a share of a run from user space: each time is already a mean of many."""


@dataclass(frozen=True)
class MeasureRequest:
    """Values of each axis; all combinations are measured.

    ``key_bytes`` empty: 4 for arrays, 8 for other types. ``batches`` empty: SWEEP, up to the number of keys. ``run_ms``
    is the length of a run of a cell from user space.
    """

    kinds: tuple[str, ...] = tuple(KINDS)
    operations: tuple[str, ...] = tuple(OPERATIONS)
    entries: tuple[int, ...] = (10_000,)
    key_bytes: tuple[int, ...] = ()
    value_bytes: tuple[int, ...] = (16,)
    fills_pct: tuple[float, ...] = (75.0,)
    accesses: tuple[str, ...] = ("uniform",)
    batches: tuple[int, ...] = ()
    threads: tuple[int, ...] = (1,)
    seed: int = 1
    runs: int = RUNS_MIN
    run_ms: int = 8
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES


@dataclass(frozen=True)
class Cell:
    """One combination: an operation on a map. ``batch`` is None for single operations."""

    geometry: Geometry
    operation: str
    access: str
    batch: int | None
    threads: int

    @property
    def name(self) -> str:
        """Return a name that stays the same in later versions, for comparisons with stored runs."""
        g = self.geometry
        batch = "" if self.batch is None else f" b{self.batch}"
        shape = f"{g.kind} flags{g.flags:#x} {g.population}/{g.entries} k{g.key_bytes} v{g.value_bytes}"
        return f"{shape} {self.operation} {self.access}{batch} t{self.threads}"

    @property
    def inside(self) -> bool:
        """Return True if a BPF program can do the operation, too: batches are system calls."""
        return self.batch is None


@dataclass(frozen=True)
class MeasurePlan:
    """Cells that passed all checks, grouped by map. ``cpus``: the CPUs that threads may be pinned to."""

    request: MeasureRequest
    cells: tuple[Cell, ...]
    cpus: tuple[int, ...]
    possible_cpus: int
    live: LiveMap | None = None

    @property
    def expected_s(self) -> float:
        """Return the run time of the loops, without making and filling maps."""
        return sum(self.user_s + self.inside_s * cell.inside for cell in self.cells)

    @property
    def user_s(self) -> float:
        """Return the length of all runs of a cell from user space."""
        return self.request.runs * self.request.run_ms / 1e3

    @property
    def inside_s(self) -> float:
        """Return the length of all runs of a cell inside the kernel."""
        return self.user_s * INSIDE_SHARE

    def pinned(self, threads: int) -> tuple[int, ...]:
        """Return the CPUs for this number of threads: the last CPUs, since most interrupts go to the first."""
        return self.cpus[-threads:]


def make_plan(
    request: MeasureRequest, cpus: Sequence[int], possible_cpus: int, live: LiveMap | None = None
) -> MeasurePlan:
    """Return all cells of a request; ``live``: measure copies of this map instead of the requested types and sizes.

    Raises UsageError for an impossible or too large combination, KernelError (EPERM) without the right to make maps.
    """
    _check_request(request, cpus)
    shapes = [live.geometry] if live is not None else list(dict.fromkeys(_geometries(request)))
    for shape in shapes:
        geometries.check(shape, possible_cpus, request.memory_limit_bytes)
    for shape in {replace(shape, entries=1, population=1): shape for shape in shapes}.values():
        geometries.try_out(shape)
    cells = tuple(cell for shape in shapes for cell in _cells(request, shape, possible_cpus))
    if len(cells) > CELLS_MAX:
        raise UsageError(f"{len(cells)} combinations are more than {CELLS_MAX}; choose fewer values per axis")
    return MeasurePlan(request, cells, tuple(cpus), possible_cpus, live)


def expected_s(request: MeasureRequest, possible_cpus: int) -> float | None:
    """Return the run time of the loops of a request, without checking its limits; None if it is impossible."""
    try:
        cells = tuple(
            cell for shape in dict.fromkeys(_geometries(request)) for cell in _cells(request, shape, possible_cpus)
        )
    except UsageError:
        return None
    return MeasurePlan(request, cells, (), possible_cpus).expected_s


def _geometries(request: MeasureRequest) -> Iterator[Geometry]:
    for name, entries, value_bytes, fill_pct in product(
        request.kinds, request.entries, request.value_bytes, request.fills_pct
    ):
        kind = KINDS[name]
        population = max(1, round(entries * fill_pct / 100))
        for key_bytes in _key_sizes(request, name):
            yield Geometry(kind.type, kind.flags, entries, key_bytes, value_bytes, population, name)


def _key_sizes(request: MeasureRequest, name: str) -> tuple[int, ...]:
    """Return the key sizes of a type. With all types requested, a key size does not apply to arrays."""
    default = geometries.default_key_bytes(KINDS[name])
    if not request.key_bytes or (name.endswith("array") and request.kinds == tuple(KINDS)):
        return (default,)
    return request.key_bytes


def _cells(request: MeasureRequest, shape: Geometry, possible_cpus: int) -> Iterator[Cell]:
    for threads, operation in product(request.threads, request.operations):
        if threads > shape.population:
            raise UsageError(f"{threads} threads on {shape.population} keys: choose fewer threads or more entries")
        accesses = (WALK,) if operation in WALKS else request.accesses
        batches: Iterable[int | None] = (None,)
        if operation in SINGLE_OF:
            batches = _batches(request, shape, threads, possible_cpus)
        for access, batch in product(accesses, batches):
            yield Cell(shape, operation, access, batch, threads)


def _batches(request: MeasureRequest, shape: Geometry, threads: int, possible_cpus: int) -> tuple[int, ...]:
    """Return the batch sizes to measure. Raises UsageError if a requested size is impossible."""
    most = shape.population // threads
    each = shape.key_bytes + shape.value_buffer_bytes(possible_cpus)
    for batch in request.batches:
        request_text = f"a batch of {batch}" if threads == 1 else f"{threads} threads with a batch of {batch} each"
        if batch > most:
            raise UsageError(
                f"{request_text}: {geometries.words(shape)} has {shape.population} keys in use; choose a smaller batch "
                "or more entries"
            )
        if batch * each * threads > request.memory_limit_bytes:
            raise UsageError(
                f"{request_text} needs buffers of {geometries.mib(batch * each * threads)}; the limit is "
                f"{geometries.mib(request.memory_limit_bytes)}: choose a smaller batch, or raise it with --memory-limit"
            )
    fitting = tuple(batch for batch in SWEEP if batch <= most and batch * each * threads <= request.memory_limit_bytes)
    return request.batches or fitting


def _check_request(request: MeasureRequest, cpus: Sequence[int]) -> None:
    _known("map type", request.kinds, KINDS)
    _known("operation", request.operations, OPERATIONS)
    _known("access", request.accesses, ACCESSES)
    for threads in request.threads:
        if not 1 <= threads <= len(cpus):
            raise UsageError(
                f"threads cannot be {threads}: each has a CPU of its own, and this process may run on {len(cpus)}; "
                f"choose 1 to {len(cpus)}"
            )
    for batch in request.batches:
        if not 1 <= batch <= BATCH_MAX:
            raise UsageError(f"a batch of {batch}: choose 1 to {BATCH_MAX}")
    for fill_pct in request.fills_pct:
        if not 0 < fill_pct <= 100:
            raise UsageError(f"a fill of {fill_pct:g} %: choose more than 0, and 100 at most")
    _within("seed", request.seed, 0, (1 << 64) - 1)
    _within("number of runs", request.runs, RUNS_MIN, RUNS_MAX)
    _within("length of a run in ms", request.run_ms, RUN_MS_MIN, RUN_MS_MAX)
    _within("memory limit in MiB", request.memory_limit_bytes >> 20, 1, 1 << 40)


def _known(what: str, names: Iterable[str], known: Mapping[str, object]) -> None:
    names = list(names)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UsageError(f"{', '.join(unknown) or 'nothing'} is no {what}; choose from {', '.join(known)}")


def _within(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(f"the {what} cannot be {value}; choose {least} to {most}")
