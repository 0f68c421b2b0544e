"""What the system says of a process: its memory, its computing time, what stands below it. Known on Linux only."""

import contextlib
import os
import resource
import signal
import sys
from pathlib import Path

_PAGE = resource.getpagesize()
_TICKS = os.sysconf("SC_CLK_TCK")
STOPPED = {"T", "t", "Z", "X"}  # by a signal, by a debugger, for good


def kill(pid: int) -> None:
    """Kill a process, if it is there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def resident_bytes(pid: int) -> int:
    """Read the resident bytes of a process; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def proportional_bytes(pid: int) -> int:
    """Read a process's share of the memory in use: pages that several hold count in parts."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return resident_bytes(pid)


def state_and_cpu_seconds(pid: int) -> tuple[str, float | None]:
    """Read a process's state, a letter, and the CPU time that it took; "" and None where the system does not say."""
    try:
        fields = _fields(Path(f"/proc/{pid}/stat"))
        return fields[0], (int(fields[11]) + int(fields[12])) / _TICKS
    except (OSError, ValueError, IndexError):
        return "", None


def descendants(pid: int) -> list[int]:
    """List all processes below one."""
    children: dict[int, list[int]] = {}
    for child, parent in parents().items():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found[1:]


def parents() -> dict[int, int]:
    """Map every process of this machine to its parent; empty where there is no /proc."""
    found = {}
    for entry in os.scandir("/proc") if sys.platform == "linux" else ():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                found[int(entry.name)] = int(_fields(Path(entry.path, "stat"))[1])
    return found


def _fields(path: Path) -> list[str]:
    """Split a stat file after the process's name, which may hold spaces and brackets itself."""
    return path.read_text(errors="replace").rpartition(")")[2].split()
