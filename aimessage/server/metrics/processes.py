"""Memory, processor time and open files of each worker, from /proc. Empty where there is no /proc."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aimessage.server.slots import pids_by_slot

PROC = Path("/proc")
#: Fields of /proc/PID/stat after the name in brackets, which may hold anything; proc(5) counts from 1.
UTIME, STIME, STARTTIME, RSS = 14 - 3, 15 - 3, 22 - 3, 24 - 3


class ProcessCollector(Collector):
    def collect(self) -> Iterable[Metric]:
        memory = GaugeMetricFamily(
            "aimessage_worker_resident_memory_bytes", "Memory that a worker holds.", labels=["worker"]
        )
        cpu = CounterMetricFamily(
            "aimessage_worker_cpu_seconds_total", "Processor time that a worker used.", labels=["worker"]
        )
        files = GaugeMetricFamily(
            "aimessage_worker_open_fds", "Files and sockets that a worker has open.", labels=["worker"]
        )
        started = GaugeMetricFamily(
            "aimessage_worker_start_time_seconds",
            "When a worker was started, as Unix time.",
            labels=["worker"],
        )
        with suppress(OSError):
            booted = _boot_time()
            ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
            for slot, pid in sorted(pids_by_slot().items()):
                with suppress(OSError):  # the worker ended meanwhile
                    stat = (PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
                    open_files = len(os.listdir(PROC / f"{pid}/fd"))
                    memory.add_metric([slot], int(stat[RSS]) * page)
                    cpu.add_metric([slot], (int(stat[UTIME]) + int(stat[STIME])) / ticks)
                    files.add_metric([slot], open_files)
                    started.add_metric([slot], booted + int(stat[STARTTIME]) / ticks)
        return [memory, cpu, files, started]


def _boot_time() -> float:
    lines = (PROC / "stat").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("btime ")).split()[1])
