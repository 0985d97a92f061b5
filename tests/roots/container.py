"""Boot a root by its own systemd, in a container that ends when its only job has ended."""

from __future__ import annotations

import shlex
import shutil

from tests.mirrors import Unobtainable
from tests.roots.root import PRIVATE, Failed, Root, succeeded

CGROUP = "/sys/fs/cgroup/bpftop-trial"
"""The cgroup of the container, in a mount of cgroups of version 2 that only its own processes see."""
JOB = "/etc/systemd/system/trial.service"
SAID = "/var/trial"
"""Path of the job's output in the root."""


def run_by_systemd(root: Root, command: str, folder: str) -> str:
    """Return the output of a command that systemd runs in ``folder`` of the booted root.

    Raises:
        Failed: the command failed, or the container did not boot.
        Unobtainable: there is no systemd-nspawn here.
    """
    if shutil.which("systemd-nspawn") is None:
        raise Unobtainable("there is no systemd-nspawn here; contrib/system-packages trial installs it")
    job = root.upper / JOB.strip("/")
    job.write_text(
        "[Unit]\nSuccessAction=exit\nFailureAction=exit\nFailureActionExitStatus=1\n"
        f"[Service]\nType=oneshot\nExecStart={command}\nWorkingDirectory={folder}\n"
        f"StandardOutput=file:{SAID}\nStandardError=inherit\n"
    )
    said = root.upper / SAID.strip("/")
    try:
        succeeded(_nspawn(root), "systemd-nspawn")
    except Failed as error:
        raise Failed(f"{error} {said.read_text() if said.exists() else ''}") from error
    finally:
        succeeded(_private("mount -t cgroup2 cgroup2 /sys/fs/cgroup", *_without_cgroup()), "rmdir")
        job.unlink()
    text = said.read_text().strip()
    said.unlink()
    return text


def _nspawn(root: Root) -> list[str]:
    """Return the command line that boots the root; BPF needs all capabilities and two calls that nspawn refuses."""
    words = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe", f"--directory={root.tree}"]
    words += ["--private-network", "--capability=all", "--system-call-filter=bpf perf_event_open"]
    words += [f"--bind-ro={source}:{target}" for source, target in root.mounts.items()]
    words += ["--boot", "systemd.unit=trial.service"]
    return _private(
        *root.overlay(),
        "mount -t proc proc /proc",
        "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        *_without_cgroup(),
        f"mkdir {CGROUP}",
        f"echo 0 >{CGROUP}/cgroup.procs",
        shlex.join(words),
        "exit 0",
    )


def _without_cgroup() -> list[str]:
    """Return the line that removes the cgroups of a container that has ended."""
    return [f"[ ! -d {CGROUP} ] || find {CGROUP} -depth -type d -exec rmdir {{}} +"]


def _private(*lines: str) -> list[str]:
    return [*PRIVATE, "sh", "-c", "\n".join(lines)]
