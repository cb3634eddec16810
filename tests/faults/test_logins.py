"""Races of logins and tokens against a server of 4 workers, and what its answers' times give away."""

import http.client
import os
import random
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.factories import PASSWORD
from tests.faults.clients import Answer, Caller, people
from tests.faults.servers import Application, PostgreSQL, binary, serving

pytestmark = pytest.mark.faults

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "100"))
SAMPLES = int(os.environ.get("FAULT_SAMPLES", "200"))
RACERS = 50
FAILURES = 5
WRONG = "not-the-password"


def together(calls: list[Callable[[], Answer]]) -> list[Answer]:
    """All at the same time, from a connection each; the answers in the order of `calls`."""
    barrier = threading.Barrier(len(calls))
    answers: list[Any] = [None] * len(calls)

    def run(index: int) -> None:
        barrier.wait()
        answers[index] = calls[index]()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in answers
    return answers


def log_in(port: int, username: str, password: str = PASSWORD, **headers: str) -> Answer:
    body = {"username": username, "password": password}
    return Caller(port).call("POST", "/auth/login", body, **headers)


def refresh(port: int, token: str) -> Answer:
    return Caller(port).call("POST", "/auth/refresh", {"refresh_token": token})


def status_of_me(port: int, token: str) -> int:
    return Caller(port, token).call("GET", "/auth/me").status


def test_of_parallel_refreshes_one_wins_and_the_session_lives(
    application: Application, figure: Any, progress: Any
) -> None:
    (alice,) = people(application, 1)
    token, winners = alice.refresh, Counter[int]()
    for done in range(ROUNDS):
        answers = together([lambda token=token: refresh(application.port, token)] * RACERS)
        won = [answer.json() for answer in answers if answer.status == 200]
        winners[len(won)] += 1
        assert {answer.status for answer in answers} == {200, 401}
        assert len(won) == 1
        assert status_of_me(application.port, won[0]["access_token"]) == 200
        token = won[0]["refresh_token"]
        progress(f"round {done + 1} of {ROUNDS}")

    figure(rounds=ROUNDS, parallel=RACERS, winners_in_a_round=dict(winners))


def test_a_replay_after_the_leeway_kills_the_session_on_every_worker(
    postgres: PostgreSQL, tmp_path: Path, figure: Any
) -> None:
    settings = {"AI_MESSAGE_REUSE_LEEWAY": "1"}
    with serving(Application(tmp_path / "application", postgres.url(), settings=settings)) as running:
        (alice,) = people(running, 1)
        tokens = refresh(running.port, alice.refresh).json()
        assert status_of_me(running.port, tokens["access_token"]) == 200
        time.sleep(1.5)

        replay = refresh(running.port, alice.refresh)
        # A connection each, so that every worker gets some.
        calls = [lambda: Caller(running.port, tokens["access_token"]).call("GET", "/auth/me")] * 40
        after = together(calls) + together([lambda: refresh(running.port, tokens["refresh_token"])] * 10)

    figure(requests_after=len(after), refused=sum(answer.status == 401 for answer in after))
    assert replay.status == 401
    assert {answer.status for answer in after} == {401}


def test_no_login_from_before_a_logout_everywhere_survives_it(
    application: Application, figure: Any, progress: Any
) -> None:
    survivors = logins = 0
    rounds = max(ROUNDS // 20, 2)
    for done in range(rounds):
        (alice,) = people(application, 1)
        times: dict[int, float] = {}
        ended: list[float] = []

        def enter(index: int, name: str = alice.username, times: dict[int, float] = times) -> Answer:
            time.sleep(random.uniform(0, 2))
            answer = log_in(application.port, name)
            times[index] = time.monotonic()
            return answer

        def leave(token: str = alice.access, ended: list[float] = ended) -> Answer:
            time.sleep(1.5)
            ended.append(time.monotonic())
            return Caller(application.port, token).call("POST", "/auth/logout-all")

        *entered, left = together([*(lambda i=i: enter(i) for i in range(50)), leave])
        assert left.status == 200
        assert {answer.status for answer in entered} == {200}
        logins += len(entered)
        # Answered before the logout was even asked for: all dead.
        for index, answer in enumerate(entered):
            if times[index] < ended[0]:
                survivors += status_of_me(application.port, answer.json()["access_token"]) != 401
        progress(f"round {done + 1} of {rounds}")

    figure(rounds=rounds, logins=logins, survivors=survivors)
    assert survivors == 0


@pytest.fixture
def guarded(postgres: PostgreSQL, tmp_path: Path) -> Iterator[Application]:
    """A server that trusts one proxy, so that a test can come from several addresses."""
    settings = {"AI_MESSAGE_TRUSTED_PROXIES": "1"}
    with serving(Application(tmp_path / "application", postgres.url(), settings=settings)) as running:
        yield running


def test_many_wrong_passwords_at_once_lock_the_pair_out(guarded: Application, figure: Any) -> None:
    alice, bob = people(guarded, 2)
    here, there = "198.51.100.7", "203.0.113.9"

    answers = together([lambda: log_in(guarded.port, alice.username, WRONG, x_forwarded_for=here)] * 200)
    statuses = Counter(answer.status for answer in answers)
    right = log_in(guarded.port, alice.username, x_forwarded_for=here)
    forged = [
        log_in(guarded.port, alice.username, x_forwarded_for=f"192.0.2.{n}, {here}").status for n in range(20)
    ]
    elsewhere = log_in(guarded.port, alice.username, x_forwarded_for=there)
    other = log_in(guarded.port, bob.username, x_forwarded_for=here)
    admin = Caller(guarded.port).call("GET", "/admin/login/", x_forwarded_for=here)
    guarded.stop()
    guarded.start()
    restarted = log_in(guarded.port, alice.username, x_forwarded_for=here)

    figure(parallel=200, wrong_passwords_checked=statuses[401], refused_unchecked=statuses[429])
    assert statuses[401] <= FAILURES + guarded.workers - 1
    assert statuses[401] + statuses[429] == 200
    for answer in (right, restarted):
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) > 0
    assert set(forged) == {429}
    assert (elsewhere.status, other.status) == (200, 200)
    assert admin.status == 200


def test_the_admin_shares_the_lockout(guarded: Application, figure: Any) -> None:
    guarded.run(
        "from accounts.models import User\n"
        f"User.objects.create_superuser('root', 'root@example.org', {PASSWORD!r})"
    )
    here = "198.51.100.8"
    for _ in range(FAILURES):
        assert log_in(guarded.port, "root", WRONG, x_forwarded_for=here).status == 401

    page = Caller(guarded.port).call("GET", "/admin/login/", x_forwarded_for=here)
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    token = page.content.decode().partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    form = f"csrfmiddlewaretoken={token}&username=root&password={PASSWORD}"
    answer = post_form(guarded.port, "/admin/login/", form, cookie, here)

    figure(status_at_the_admin=answer[0], retry_after=answer[1])
    assert answer[0] == 429
    assert int(answer[1]) > 0


def post_form(port: int, path: str, form: str, cookie: str, address: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": cookie,
        "X-Forwarded-For": address,
        "Referer": f"http://127.0.0.1:{port}{path}",
    }
    connection.request("POST", path, form, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers.get("Retry-After", "")


@pytest.mark.parametrize("locked", [False, True], ids=["free", "locked"])
def test_unknown_users_and_wrong_passwords_take_the_same_time(
    postgres: PostgreSQL, tmp_path: Path, locked: bool, figure: Any, progress: Any
) -> None:
    failures = "1" if locked else "0"
    settings = {"AI_MESSAGE_LOCKOUT_FAILURES": failures}
    with serving(Application(tmp_path / "application", postgres.url(), settings=settings)) as running:
        (alice,) = people(running, 1)
        names = {"known": alice.username, "unknown": "nobody-of-that-name"}
        times: dict[str, list[float]] = {kind: [] for kind in names}
        expected = 429 if locked else 401
        for name in names.values():
            log_in(running.port, name, WRONG)
        for done in range(SAMPLES):
            # In turn, so that whatever else the machine does falls upon both.
            for kind in random.sample(list(names), 2):
                answer = log_in(running.port, names[kind], WRONG)
                assert answer.status == expected
                times[kind].append(answer.seconds)
            progress(f"{done + 1} of {SAMPLES} samples")

    known, unknown = (statistics.median(times[kind]) for kind in ("known", "unknown"))
    figure(
        samples=SAMPLES,
        median_known=f"{known * 1000:.1f} ms",
        median_unknown=f"{unknown * 1000:.1f} ms",
        ratio=f"{unknown / known:.3f}",
    )
    assert 0.9 < unknown / known < 1.1


def test_a_change_of_keys_logs_nobody_out(postgres: PostgreSQL, tmp_path: Path, figure: Any) -> None:
    old, new = "k" * 40, "n" * 40
    application = Application(
        tmp_path / "application", postgres.url(), workers=2, settings={"AI_MESSAGE_JWT_KEYS": old}
    )
    with serving(application):
        cast = people(application, 20)
        application.stop()
        application.environment["AI_MESSAGE_JWT_KEYS"] = f"{new},{old}"
        application.start()
        alive = sum(status_of_me(application.port, one.access) == 200 for one in cast)
        fresh = [refresh(application.port, one.refresh).json() for one in cast]
        application.stop()
        application.environment["AI_MESSAGE_JWT_KEYS"] = new
        application.start()
        renewed = sum(status_of_me(application.port, one["access_token"]) == 200 for one in fresh)
        dropped = status_of_me(application.port, cast[0].access)

    figure(sessions=len(cast), alive_after_the_change=alive, alive_without_the_old_key=renewed)
    assert (alive, renewed, dropped) == (20, 20, 401)


def test_neither_logs_nor_a_dump_hold_a_secret(postgres: PostgreSQL, tmp_path: Path, figure: Any) -> None:
    """Planted: a password, tokens, a message's text. The text is in its table, and nowhere else."""
    planted = {"password": "crimson-anvil-7351", "text": "zanzibar-teapot-8842"}
    with serving(Application(tmp_path / "application", postgres.url(), workers=2)) as running:
        port = running.port
        names = {"username": "dora", "email": "dora@example.org", "password": planted["password"]}
        assert Caller(port).call("POST", "/auth/register", names).status == 201
        tokens = log_in(port, "dora", planted["password"]).json()
        renewed = refresh(port, tokens["refresh_token"]).json()
        assert log_in(port, "dora", planted["password"] + "x").status == 401
        assert refresh(port, planted["password"]).status == 401
        (bob,) = people(running, 1)
        dora = Caller(port, renewed["access_token"])
        body = {"recipient_id": bob.pk, "content": planted["text"]}
        sent = dora.call("POST", "/messages", body).json()
        assert dora.call("PUT", f"/messages/{sent['id']}", {"content": planted["text"] + "!"}).status == 200
        assert dora.call("POST", "/messages", {"recipient_id": 0, "content": planted["text"]}).status == 404
        assert dora.call("GET", f"/messages?search={planted['text']}").status == 200
        report = {"title": "Spam", "content": planted["text"], "message_id": sent["id"]}
        assert dora.call("POST", "/reports", report).status == 201
    for pair in (tokens, renewed):
        planted |= {f"{kind} {len(planted)}": pair[kind] for kind in ("access_token", "refresh_token")}

    files = [path for path in (tmp_path / "application").rglob("*.log*") if path.is_file()]
    logs = "\n".join(path.read_text(errors="replace") for path in files)
    command = [binary("pg_dump"), "--inserts", postgres.url()]
    dump = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout
    in_logs = [what for what, secret in planted.items() if secret in logs]
    hits = [(what, line) for line in dump.splitlines() for what, secret in planted.items() if secret in line]
    tables = {(what, line.split('"')[0].split()[2]) for what, line in hits if line.startswith("INSERT")}
    with psycopg.connect(postgres.url()) as connection:
        stored = connection.execute("SELECT count(*) FROM accounts_refreshtoken").fetchone()

    figure(
        planted=len(planted),
        lines_of_log=logs.count("\n"),
        hits_in_logs=len(in_logs),
        in_the_dump=sorted(tables),
    )
    assert stored is not None
    assert stored[0] >= 2
    assert in_logs == []
    assert tables == {("text", "public.messaging_message"), ("text", "public.reports_report")}
