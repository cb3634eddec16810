"""The assistant while its workers are killed, and the server while many wait for its answers."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from pytest_django import Settings

from aimessage.jobs.tests.processes import Shop
from assistant.tests.killing import kill_while_answering
from assistant.tests.stub import Says, Stub
from tests.faults.scale import ANSWERING_KILLS as KILLS
from tests.faults.scale import AT_ONCE, QUESTIONS
from tests.faults.servers import ROOT, Application, serving

pytestmark = pytest.mark.faults

#: Who wait for an answer at once, as many as there are threads; the seconds that it takes.
WAITING, ANSWER_TAKES = 16, 5
SESSIONS = f"""
from accounts.models import User
from accounts.services.sessions import open_session
for number in range({WAITING}):
    user = User.objects.create(username=f"user{{number}}", email=f"user{{number}}@example.org")
    print(open_session(user)[1].access_token)
"""


def test_killed_workers_answer_each_question_once(
    shop: Shop,
    settings: Settings,
    figure: Callable[..., None],
    progress: Callable[[str], None],
) -> None:
    """B12: two workers, one of which is killed every 0.3 s while a call is under way, and replaced."""
    calls = kill_while_answering(shop, settings, questions=QUESTIONS, kills=KILLS, progress=progress)
    figure(questions=QUESTIONS, kills=KILLS, calls=calls, calls_without_kills=2 * QUESTIONS)


@contextmanager
def answering(server: Application) -> Iterator[None]:
    """Beside it, who does its jobs."""
    with (server.folder / "work.log").open("wb") as log:
        command = [sys.executable, "manage.py", "work"]
        process = subprocess.Popen(command, cwd=ROOT, env=server.environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=40)


def test_those_who_wait_for_answers_leave_the_server_to_others(
    tmp_path: Path, figure: Callable[..., None]
) -> None:
    """B49."""
    with Stub(Says("At last", delay=ANSWER_TAKES)) as stub:
        settings = {
            "AI_MESSAGE_ASSISTANT_MODEL": "m",
            "AI_MESSAGE_ASSISTANT_URL": stub.url,
        }
        made = Application(tmp_path, f"sqlite:///{tmp_path}/test.sqlite3", workers=1, settings=settings)
        with serving(made) as server, answering(server), ThreadPoolExecutor(WAITING) as pool:
            tokens = server.run(SESSIONS).split()
            url = f"http://127.0.0.1:{server.port}"

            def post(token: str) -> tuple[int, str | None]:
                headers = {"Authorization": f"Bearer {token}"}
                body = {"content": "Hello?"}
                answer = requests.post(f"{url}/messages/ai", json=body, headers=headers, timeout=40)
                return answer.status_code, answer.headers.get("Retry-After")

            asked = [pool.submit(post, token) for token in tokens]
            took = []
            with requests.Session() as other:
                other.headers["Authorization"] = f"Bearer {tokens[0]}"
                while not all(one.done() for one in asked):
                    began = time.monotonic()
                    assert other.get(f"{url}/auth/me", timeout=10).status_code == 200
                    took.append(time.monotonic() - began)
            answers = [one.result() for one in asked]

    waited = [status for status, _ in answers if status != 503]
    assert waited == [200] * (WAITING // 4)
    assert all(after for status, after in answers if status == 503)
    slowest = sorted(took)[int(len(took) * 0.99)]
    figure(requests_meanwhile=len(took), p99_milliseconds=round(slowest * 1000))
    assert slowest < AT_ONCE
