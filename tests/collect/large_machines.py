"""Trees of large machines, made at test time: holes in the CPU numbers, NUMA nodes, a bond, RPS, XPS."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bpftop.collect.procfs.tree import Tree
from bpftop.model.sample import Interface

FIRST_IRQ = 100
ETH0 = Interface("eth0", "eth0", 2, driver="mlx5_core")
_BONDING = """\
Ethernet Channel Bonding Driver: v5.10.0

Bonding Mode: fault-tolerance (active-backup)
Primary Slave: None
Currently Active Slave: eth0
MII Status: up
MII Polling Interval (ms): 100
Up Delay (ms): 0
Down Delay (ms): 0
Peer Notification Delay (ms): 0

Slave Interface: eth0
MII Status: up
Speed: 25000 Mbps
Duplex: full
Link Failure Count: 0
Permanent HW addr: 02:00:00:00:00:01
Slave queue ID: 0

Slave Interface: eth1
MII Status: down
Speed: Unknown
Duplex: Unknown
Link Failure Count: 3
Permanent HW addr: 02:00:00:00:00:02
Slave queue ID: 0
"""


def half_of(possible: int) -> tuple[int, ...]:
    """Return the online CPUs where the second and the last quarter are offline."""
    quarter = possible // 4
    return (*range(quarter), *range(2 * quarter, 3 * quarter))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def softnet(cpus: Sequence[int], dropped: int = 0) -> str:
    rows = ((1000 + cpu, dropped, 0, 0, 0, 0, 0, 0, 0, 0, 0, cpu % 3, cpu, 0, 0) for cpu in cpus)
    return "".join(" ".join(f"{word:08x}" for word in row) + "\n" for row in rows)


def interrupts(cpus: Sequence[int], others: int, queues: int, count: int = 1) -> str:
    """Return /proc/interrupts where each queue of eth0 interrupts one CPU, and one more vector never fires."""
    header = " " * 12 + "".join(f"CPU{cpu:<8}" for cpu in cpus) + "\n"
    nothing = f"{0:>11}" * len(cpus)
    lines = [f"{irq:>4}:{nothing}   PCI-MSI {irq}-edge      nvme0q{irq}\n" for irq in range(others)]
    for queue in range(queues + 1):
        counts = [count if queue < queues and position == queue % len(cpus) else 0 for position in range(len(cpus))]
        name = f"mlx5_comp{queue}@pci:0000:3b:00.0" if queue < queues else "mlx5_async@pci:0000:3b:00.0"
        row = "".join(f"{cell:>11}" for cell in counts)
        lines.append(f"{FIRST_IRQ + others + queue:>4}:{row}   PCI-MSIX-0000:3b:00.0 {queue}-edge      {name}\n")
    return header + "".join(lines) + "NMI:" + nothing + "   Non-maskable interrupts\n"


def make(root: Path, possible: int, *, queues: int = 8, others: int = 20) -> Tree:
    """Make two NUMA nodes with half of the CPUs offline, eth0 on node 1 with RPS, XPS and vectors, and a bond."""
    online = half_of(possible)
    write(root / "proc/net/softnet_stat", softnet(online))
    write(root / "proc/interrupts", interrupts(online, others, queues))
    row = "".join(f"{1000 + cpu:>11}" for cpu in range(possible))
    names = "".join(f"{'CPU' + str(cpu):>11}" for cpu in range(possible))
    kinds = ("HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU")
    write(root / "proc/softirqs", " " * 12 + names + "\n" + "".join(f"{kind:>12}:{row}\n" for kind in kinds))
    times = "".join(f"cpu{cpu} 10 0 20 3000 1 0 {cpu} 0 0 0\n" for cpu in online)
    write(root / "proc/stat", f"cpu  1 0 2 300 1 0 3 0 0 0\n{times}intr 5 {'0 ' * 2000}\nctxt 5\n")
    write(root / "proc/net/bonding/bond0", _BONDING)
    quarter = possible // 4
    system = root / "sys/devices/system"
    write(system / "cpu/online", f"0-{quarter - 1},{2 * quarter}-{3 * quarter - 1}\n")
    write(system / "node/node1/cpulist", f"{2 * quarter}-{4 * quarter - 1}\n")
    _make_eth0(root, possible, queues, FIRST_IRQ + others)
    bond = root / "sys/devices/virtual/net/bond0"
    write(bond / "ifindex", "3\n")
    write(bond / "queues/rx-0/rps_cpus", "00000000\n")
    os.symlink("../../devices/virtual/net/bond0", root / "sys/class/net/bond0")
    return Tree(root)


def mask(cpu: int, possible: int) -> str:
    """Return the mask of one CPU as the kernel writes it: 32-bit words, the highest first."""
    words = f"{1 << cpu:0{possible // 4}x}"
    return ",".join(words[i : i + 8] for i in range(0, len(words), 8)) + "\n"


def _make_eth0(root: Path, possible: int, queues: int, first_irq: int) -> None:
    function = root / "sys/devices/pci0000:3a/0000:3b:00.0"
    write(function / "numa_node", "1\n")
    for queue in range(queues + 1):
        irq = first_irq + queue
        write(function / f"msi_irqs/{irq}", "msix\n")
        write(root / f"proc/irq/{irq}/smp_affinity_list", f"0-{possible - 1}\n")
        write(root / f"proc/irq/{irq}/effective_affinity_list", f"{half_of(possible)[queue]}\n")
    device = function / "net/eth0"
    write(device / "ifindex", f"{ETH0.ifindex}\n")
    for queue in range(queues):
        write(device / f"queues/rx-{queue}/rps_cpus", mask(queue, possible))
        write(device / f"queues/tx-{queue}/xps_cpus", mask(possible - 1 - queue, possible))
    os.symlink("../../../0000:3b:00.0", device / "device")
    (root / "sys/class/net").mkdir(parents=True)
    os.symlink("../../devices/pci0000:3a/0000:3b:00.0/net/eth0", root / "sys/class/net/eth0")
