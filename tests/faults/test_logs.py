"""The log files, written by several processes at once and through their rotation."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.scale import LOG_LINES
from tests.faults.servers import ROOT

pytestmark = pytest.mark.faults

PROCESSES = 4
LINE = re.compile(r"\S+ \S+ messages INFO \[-\] writer=(\d) number=(\d{7}) of a line as long as most are\n")
WRITE = """
import json, logging, logging.config, sys
from pathlib import Path
from aimessage.server.logs import logging_config

folder, writer, count = sys.argv[1:]
logging.config.dictConfig(logging_config(Path(folder)))
logger = logging.getLogger("messages")
for number in range(int(count)):
    logger.info("writer=%s number=%07d of a line as long as most are", writer, number)
"""


def test_rotation_loses_and_tears_no_line(tmp_path: Path, figure: Any, progress: Any) -> None:
    environment = {**os.environ, "AI_MESSAGE_LOGS_FOLDER": str(tmp_path)}
    share = LOG_LINES // PROCESSES
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(tmp_path), str(writer), str(share)], cwd=ROOT, env=environment
        )
        for writer in range(PROCESSES)
    ]
    while any(writer.poll() is None for writer in writers):
        for writer in writers:
            try:
                writer.wait(timeout=1)
            except subprocess.TimeoutExpired:
                # Rotation pushes the newest on to a name that ends in .1.
                progress(
                    f"{sum(path.stat().st_size for path in tmp_path.glob('messages.log*')) >> 20} MB kept"
                )
    assert [writer.returncode for writer in writers] == [0] * PROCESSES

    numbers: dict[int, list[int]] = {writer: [] for writer in range(PROCESSES)}
    torn = 0
    files = sorted(tmp_path.glob("messages.log*"), key=age, reverse=True)
    for path in files:
        with path.open(encoding="utf-8") as file:
            for line in file:
                match = LINE.fullmatch(line)
                if match is None:
                    torn += 1
                else:
                    numbers[int(match[1])].append(int(match[2]))
    kept = {writer: len(found) for writer, found in numbers.items()}
    # The oldest files are gone; of what is left each process's lines are its last, without a gap.
    lost = sum(found != list(range(share - len(found), share)) for found in numbers.values())

    figure(
        lines=LOG_LINES,
        processes=PROCESSES,
        files=len(files),
        lines_kept=sum(kept.values()),
        torn=torn,
        processes_with_a_gap=lost,
    )
    assert (torn, lost) == (0, 0)
    assert sum(kept.values()) > 0


def age(path: Path) -> int:
    """`messages.log` is the newest, `messages.log.1` the one before it."""
    suffix = path.name.rpartition(".")[2]
    return int(suffix) if suffix.isdigit() else 0
