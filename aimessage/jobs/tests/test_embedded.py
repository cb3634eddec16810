"""The worker that gunicorn starts: there while gunicorn is, and gone with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from aimessage.jobs.locks import count_workers
from aimessage.jobs.tests import tasks
from aimessage.jobs.tests.processes import ROOT, Shop, wait_until
from tests.ports import free_port

pytestmark = pytest.mark.waits


class Server:
    """gunicorn as `make run` starts it."""

    def __init__(self, shop: Shop, **extra: str) -> None:
        self.port = free_port()
        settings = {
            "AI_MESSAGE_HOST": "127.0.0.1",
            "AI_MESSAGE_PORT": str(self.port),
            "AI_MESSAGE_WORKERS": "1",
        }
        self.log = shop.log
        with shop.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn"],
                cwd=ROOT,
                env={**shop.environment, **settings, "AI_MESSAGE_WORKERS": "1", **extra},
                stdout=log,
                stderr=log,
            )
        wait_until(self.answers, "gunicorn to answer")

    def answers(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/health", timeout=5).ok
        except requests.RequestException:
            return False

    def job_workers(self) -> list[int]:
        """The process ids of its children that run jobs."""
        pid, found = self.process.pid, []
        for folder in Path(f"/proc/{pid}/task").glob("*"):
            for child in (folder / "children").read_text().split():
                with suppress(OSError):
                    if b"work\0--parent" in Path(f"/proc/{child}/cmdline").read_bytes():
                        found.append(int(child))
        return found

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def server(shop: Shop) -> Iterator[Server]:
    server = Server(shop)
    try:
        wait_until(lambda: count_workers() == 1, "a worker")
        yield server
    finally:
        server.kill()


def worker_of(server: Server) -> int:
    (pid,) = server.job_workers()
    return pid


def test_jobs_run(server: Server, shop: Shop) -> None:
    tasks.slow.enqueue("job", 0)
    wait_until(lambda: len(shop.notes("job")) == 2, "the job")
    assert "is no setting" not in shop.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_gunicorn(server: Server, number: int) -> None:
    pid = worker_of(server)

    server.process.send_signal(number)

    assert server.process.wait(timeout=20) == 0
    assert not is_alive(pid)
    assert count_workers() == 0


def test_a_job_is_finished_before_gunicorn_is_gone(server: Server, shop: Shop) -> None:
    tasks.slow.enqueue("job", 3000)
    wait_until(lambda: shop.notes("job"), "the job")

    server.process.terminate()
    server.process.wait(timeout=20)

    assert [line.split()[0] for line in shop.notes("job")] == ["begun", "ended"]


def test_it_ends_with_a_gunicorn_that_is_killed(server: Server) -> None:
    pid = worker_of(server)

    server.process.kill()

    wait_until(lambda: not is_alive(pid), "its end", 15)


def test_a_worker_that_is_killed_is_replaced_and_nobody_notices(server: Server, shop: Shop) -> None:
    for _ in range(2):
        pid = worker_of(server)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: server.job_workers() not in ([], [pid]), "another one")
        assert server.answers()

    tasks.slow.enqueue("job", 0)
    wait_until(lambda: len(shop.notes("job")) == 2, "the job")
    assert "is gone after" in shop.log.read_text()


def test_a_reload_brings_it_the_new_code(server: Server) -> None:
    pid = worker_of(server)

    server.process.send_signal(signal.SIGHUP)

    wait_until(lambda: server.job_workers() not in ([], [pid]), "another one")
    assert not is_alive(pid)
    time.sleep(1)
    assert len(server.job_workers()) == 1
    assert server.answers()


def test_what_it_counts_is_in_the_metrics(server: Server) -> None:
    def slots() -> set[str]:
        text = requests.get(f"http://127.0.0.1:{server.port}/metrics", timeout=10).text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        return {s.labels["worker"] for s in families["aimessage_worker_resident_memory_bytes"].samples}

    wait_until(lambda: slots() == {"0", "jobs"}, "both")
    os.kill(worker_of(server), signal.SIGKILL)
    wait_until(lambda: slots() == {"0"}, "one alone")
    wait_until(lambda: slots() == {"0", "jobs"}, "both again")


def test_off_starts_none(shop: Shop) -> None:
    server = Server(shop, AI_MESSAGE_JOBS="off")
    try:
        time.sleep(2)
        assert server.job_workers() == []
        assert count_workers() == 0
    finally:
        server.kill()
