"""CPU seconds and memory of processes, from /proc. PSS divides each shared page among its sharers."""

import os
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    # The fields after the process name, which may hold blanks and brackets.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                found[int(_stat(int(entry))[1])].append(int(entry))
    return found


def with_descendants(root: int) -> list[int]:
    below, pids, rest = children(), [], [root]
    while rest:
        pid = rest.pop()
        pids.append(pid)
        rest += below.get(pid, [])
    return pids


def cpu_seconds(root: int) -> float:
    """CPU of a process and its descendants, also of those that have ended and were waited for."""
    ticks = 0
    for pid in with_descendants(root):
        with suppress(OSError):
            ticks += sum(map(int, _stat(pid)[11:15]))
    return ticks / TICKS


def pss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def workers_pss_kib(root: int) -> list[int]:
    # Smaller processes are helpers.
    found = []
    for pid in with_descendants(root)[1:]:
        with suppress(OSError):
            found.append(pss_kib(pid))
    return sorted(kib for kib in found if kib > 12 * 1024)
