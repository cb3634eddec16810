"""/metrics of a real gunicorn: its sums are right over all workers, even after some have died."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.migrated import migrate_sqlite
from tests.ports import free_port

pytestmark = [pytest.mark.once, pytest.mark.waits]

ROOT = Path(__file__).resolve().parents[3]
WORKERS = 3
#: Seconds for whatever gunicorn does about its workers.
PATIENCE = 30


class Server:
    """gunicorn as `make run` starts it, over SQLite."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.output = folder / "output"
        self.environment = {
            "PATH": os.environ["PATH"],
            "AI_MESSAGE_ENV_FILE": os.devnull,
            "SECRET_KEY": "a-long-text-that-stands-for-a-random-key-0123456789",
            "DATABASE_URL": f"sqlite:///{folder}/test.sqlite3",
            "AI_MESSAGE_LOGS_FOLDER": "-",
            "AI_MESSAGE_LOG_FORMAT": "json",
            "AI_MESSAGE_HOST": "127.0.0.1",
            "AI_MESSAGE_PORT": str(port),
            "AI_MESSAGE_WORKERS": str(WORKERS),
            "AI_MESSAGE_JOBS": "off",
        }
        migrate_sqlite(folder / "test.sqlite3", lambda: self._run("manage.py", "migrate", "--verbosity", "0"))
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=output,
            )

    def _run(self, *command: str) -> None:
        subprocess.run([sys.executable, *command], cwd=ROOT, env=self.environment, check=True, timeout=60)

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        """On a connection of its own, so that any worker may take it."""
        return requests.get(self.url + path, timeout=10, **kwargs)

    def value(self, name: str, **labels: str) -> float | None:
        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    def health_checks(self) -> float | None:
        return self.value("aimessage_http_requests_total", method="GET", route="/health", status="200")

    def workers_in_metrics(self) -> set[str]:
        families = text_string_to_metric_families(self.get("/metrics").text)
        return {
            sample.labels["worker"]
            for family in families
            if family.name == "aimessage_worker_resident_memory_bytes"
            for sample in family.samples
        }

    def pids(self) -> set[int]:
        pid = self.process.pid
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def folder(self) -> Path:
        [folder] = {
            Path(line.split()[-1]).parent
            for pid in self.pids()
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
            if "/aimessage-metrics-" in line
        }
        return folder

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.output.read_text()
            try:
                if condition():
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.1)
        pytest.fail(f"waited in vain for {what}:\n{self.output.read_text()}")

    def wait_for_starts(self, number: int) -> None:
        """Until so many workers were started ever, and only those of the last generation are left."""
        self.wait_for(
            lambda: (
                self.value("aimessage_worker_starts_total") == number
                and len(self.pids()) == len(self.workers_in_metrics()) == WORKERS
            ),
            f"{number} starts",
        )

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=PATIENCE + 10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    try:
        running.wait_for_starts(WORKERS)
        yield running
    finally:
        running.stop()


def ask_many(server: Server, number: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: server.get("/health").status_code, range(number)))
    assert answers == [200] * number


def test_counts_are_exact_across_workers_and_outlive_them(server: Server) -> None:
    folder = server.folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    ask_many(server, 120)
    assert server.health_checks() == 120
    counts = [file for file in folder.glob("counter_*.db") if b'"/health"' in file.read_bytes()]
    assert len(counts) > 1, "one worker answered everything: this test shows nothing"

    os.kill(min(server.pids()), signal.SIGKILL)
    server.wait_for_starts(WORKERS + 1)
    assert server.health_checks() == 120
    ask_many(server, 60)
    assert server.health_checks() == 180

    sizes = []
    for generation in range(1, 4):
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_starts(WORKERS + 1 + generation * WORKERS)
        ask_many(server, 20)
        assert server.health_checks() == 180 + generation * 20
        sizes.append(len(list(folder.iterdir())))
    # Old and new workers live side by side for a moment, and more never do.
    slots = {file.stem.rpartition("_")[2] for file in folder.glob("*.db")}
    assert len(slots) <= 2 * WORKERS
    assert max(sizes) <= sizes[0] + WORKERS
    assert len(list(folder.glob("*.pid"))) == WORKERS

    log = server.output.read_text()
    assert "Traceback" not in log
    assert '"path": "/metrics"' not in log
    server.stop()
    assert not folder.exists()


def test_a_worker_that_is_gone_is_in_no_gauge(server: Server) -> None:
    before = server.workers_in_metrics()
    assert before == {"0", "1", "2"}
    started = server.value("aimessage_worker_start_time_seconds", worker="0")
    assert started is not None
    time.sleep(1.1)  # of its start, a worker's gauge tells hundredths of a second

    os.kill(min(server.pids()), signal.SIGKILL)
    server.wait_for_starts(WORKERS + 1)

    assert server.workers_in_metrics() == before
    starts = [server.value("aimessage_worker_start_time_seconds", worker=slot) or 0 for slot in before]
    assert max(starts) > started + 1


def test_it_is_there_for_this_machine_alone(server: Server) -> None:
    assert server.get("/metrics").status_code == 200
    assert server.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 404
    assert server.get("/metrics", headers={"Host": "evil.example"}).status_code == 400
    assert server.get("/metrics", headers={"Host": "10.0.0.5:8000"}).status_code == 200
    assert server.value("aimessage_database_up") == 1
    assert server.value("aimessage_reports", status="open") == 0
    assert server.value("aimessage_sessions_live") == 0
