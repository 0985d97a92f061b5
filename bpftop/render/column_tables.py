"""The columns of each pane of which a person may choose: ``columns`` in ``config.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bpftop.render.bpf.loaded_maps import MAP_SCREEN_COLUMNS
from bpftop.render.bpf.loaded_programs import PROGRAM_SCREEN_COLUMNS
from bpftop.render.columns import Column
from bpftop.render.finding_columns import FINDING_COLUMNS
from bpftop.render.flows.flow_columns import FLOW_COLUMNS
from bpftop.render.measure.operation_columns import OPERATION_COLUMNS
from bpftop.render.path_columns import PATH_COLUMNS
from bpftop.render.traffic_columns import CPU_COLUMNS, PROTOCOL_COLUMNS

COLUMN_TABLES: Mapping[str, Sequence[Column[Any]]] = {
    "overview": PROTOCOL_COLUMNS,
    "cpus": CPU_COLUMNS,
    "path": PATH_COLUMNS,
    "flows": FLOW_COLUMNS,
    "bpf_programs": PROGRAM_SCREEN_COLUMNS,
    "bpf_maps": MAP_SCREEN_COLUMNS,
    "measure": OPERATION_COLUMNS,
    "findings": FINDING_COLUMNS,
}
"""Id of the pane -> the columns of its table. The first one names the row and is always shown."""
