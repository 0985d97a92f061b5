"""What a screen needs to cancel a measurement; the room's engines are in ``maps.engine`` and ``programs.engine``."""

from bpftop.kernel.bpf.bpf_map import Stop as Stop
