"""One watched interface: its programs attached as planned, and kept attached through what happens to the device."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bpftop.collect.facts import gather
from bpftop.collect.held import Failure, Held, MakeCounter, hold
from bpftop.collect.links import links_reading, lower_here
from bpftop.collect.offloads import Offloads
from bpftop.collect.owners import PROC, owners
from bpftop.collect.traffic import Counter
from bpftop.errors import BpftopError
from bpftop.kernel.link import remove_leftovers
from bpftop.kernel.netdev import Device, Netdev
from bpftop.model import hook_words as words
from bpftop.model.hooks import CLSACT, TCX, Facts, Plan, Step, Wish, plan
from bpftop.model.sample import DIRECTIONS, Direction, Hook, Interface, Reading

LOAD_WINDOW_NS = 1_000_000_000
FIRST_LOAD_WINDOW_NS = 20_000_000  # 2.5 MB at the limit; a longer look would delay the first screen
