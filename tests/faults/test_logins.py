"""Races of logins and tokens against a server of several workers, and what its answers' times give away."""

import random
import re
import secrets
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.factories import PASSWORD
from tests.faults.clients import Answer, Caller, Person, Unanswered, admin_login, people
from tests.faults.scale import (
    GUESSES,
    LOGOUTS,
    PROMPT,
    QUICK,
    REPLAYS,
    ROUNDS,
    SAMPLES,
    TOLERANCE,
)
from tests.faults.servers import Application, PostgreSQL, serving

pytestmark = pytest.mark.faults

RACERS = 50
#: Logins at once, each for another name.
FLOOD = 118
FAILURES = 5
WRONG = "not-the-password"


def together(calls: list[Callable[[], Answer]]) -> list[Answer]:
    """All at the same time, from a connection each; the answers in the order of `calls`."""
    barrier = threading.Barrier(len(calls))
    answers: list[Any] = [None] * len(calls)

    def run(index: int) -> None:
        barrier.wait()
        try:
            answers[index] = calls[index]()
        except Unanswered as error:
            answers[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer for answer in answers if not isinstance(answer, Answer)] == []
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
        progress(f"round {done + 1} of {ROUNDS} with {RACERS} refreshes each")

    figure(rounds=ROUNDS, parallel=RACERS, winners_in_a_round=dict(winners))


def test_a_replay_after_the_leeway_kills_the_session_on_every_worker(
    postgres: PostgreSQL, tmp_path: Path, figure: Any, progress: Any
) -> None:
    settings = {"AI_MESSAGE_REUSE_LEEWAY": "1", "PYTHONPATH": str(customised(tmp_path, NAME_WORKERS))}
    alive = refused = refreshed = 0
    with serving(Application(tmp_path / "application", postgres.url(), settings=settings)) as running:
        cast = people(running, REPLAYS)
        first = [refresh(running.port, one.refresh).json() for one in cast]
        second = [refresh(running.port, one["refresh_token"]).json() for one in first]
        time.sleep(1.5)
        for done, (one, *pairs) in enumerate(zip(cast, first, second, strict=True)):
            accesses = [one.access, *(pair["access_token"] for pair in pairs)]
            # Before, so that every worker has met the session and could remember it.
            everywhere(running, accesses, 200)
            alive += 1
            assert refresh(running.port, one.refresh).status == 401
            refused += everywhere(running, accesses, 401)
            # The newest of them was never used.
            refreshed += sum(refresh(running.port, pair["refresh_token"]).status == 200 for pair in pairs)
            progress(f"session {done + 1} of {REPLAYS}")

    figure(sessions=alive, requests_after=refused, refused=refused, refreshed_after=refreshed)
    assert refreshed == 0


#: The access log's lines then begin with who answered.
NAME_WORKERS = """
import logging, os
make = logging.LogRecord
def make_and_name(*args, **kwargs):
    record = make(*args, **kwargs)
    record.name = f"{record.name}<{os.getpid()}>"  # that of logging.makeLogRecord({}) is None
    return record
logging.setLogRecordFactory(make_and_name)
"""


def customised(folder: Path, code: str) -> Path:
    """A folder which, on a server's PYTHONPATH, has every process of it run `code` first."""
    path = folder / "path"
    path.mkdir()
    (path / "sitecustomize.py").write_text(code)
    return path


def everywhere(application: Application, tokens: list[str], status: int) -> int:
    """Asks until every worker has answered for each token, and all of them `status`; returns how often."""
    asked = 0
    for token in tokens:
        start = application.output.stat().st_size
        for _ in range(50):
            calls = [lambda token=token: Caller(application.port, token).call("GET", "/auth/me")] * 8
            assert {answer.status for answer in together(calls)} == {status}
            asked += len(calls)
            log = application.output.read_bytes()[start:].decode()
            if len(set(re.findall(r"gunicorn\.access<(\d+)> .*/auth/me", log))) == application.workers:
                break
        else:
            raise AssertionError(f"Not every worker was asked:\n{log[-2000:]}")
    return asked


#: Sessions of one user: those that live, those that are ended, and those that live though they were there
#: when the others were ended.
SESSIONS = """
SELECT count(*) FILTER (WHERE is_active),
       count(*) FILTER (WHERE NOT is_active),
       count(*) FILTER (WHERE is_active AND created_at < (
           SELECT max(updated_at) FROM accounts_session WHERE user_id = %(user)s AND NOT is_active))
FROM accounts_session WHERE user_id = %(user)s
"""


def test_no_login_from_before_a_logout_everywhere_survives_it(
    application: Application, postgres: PostgreSQL, figure: Any, progress: Any
) -> None:
    survivors = 0
    totals = [0, 0, 0]
    for done in range(LOGOUTS):
        (alice,) = people(application, 1)
        times: dict[int, float] = {}
        ended: list[float] = []

        def enter(index: int, name: str = alice.username, times: dict[int, float] = times) -> Answer:
            # Some come after the logout, however soon the others have been checked.
            time.sleep(random.uniform(0, 3.5))
            answer = log_in(application.port, name)
            times[index] = time.monotonic()
            return answer

        def leave(token: str = alice.access, ended: list[float] = ended) -> Answer:
            time.sleep(3)
            ended.append(time.monotonic())
            return Caller(application.port, token).call("POST", "/auth/logout-all")

        *entered, left = together([*(lambda i=i: enter(i) for i in range(RACERS)), leave])
        assert left.status == 200
        # Those beyond what can be checked in a moment are told to come again.
        assert {answer.status for answer in entered} <= {200, 503}
        # Answered before the logout was even asked for: all dead, and so are their refresh tokens.
        for index, answer in enumerate(entered):
            if answer.status == 200 and times[index] < ended[0]:
                tokens = answer.json()
                survivors += status_of_me(application.port, tokens["access_token"]) != 401
                survivors += refresh(application.port, tokens["refresh_token"]).status != 401
        # And those whose answer was still on its way, as the database has it.
        with psycopg.connect(postgres.url()) as connection:
            row = connection.execute(SESSIONS, {"user": alice.pk}).fetchone()
        assert row is not None
        totals = [total + count for total, count in zip(totals, row, strict=True)]
        progress(f"round {done + 1} of {LOGOUTS} with {RACERS} logins each")

    after, before, older = totals
    figure(
        rounds=LOGOUTS, logins=LOGOUTS * RACERS, ended=before, opened_after=after, survivors=survivors + older
    )
    assert survivors == 0
    # It was a race.
    assert min(after, before) > 0


#: Put on the path of a server, it notes every hash that is computed.
NOTE_HASHES = """
import bcrypt, os
compute = bcrypt.hashpw
def note_and_compute(password, salt):
    with open({file!r}, "a") as file:
        file.write(f"{{os.getpid()}}\\n")
    return compute(password, salt)
bcrypt.hashpw = note_and_compute
"""


class Guarded:
    """A server that notes which passwords it checks; behind a proxy it is asked from several addresses."""

    def __init__(self, folder: Path, database: str, proxies: int) -> None:
        self.noted = folder / "hashes"
        path = customised(folder, NOTE_HASHES.format(file=str(self.noted)))
        settings = {"AI_MESSAGE_TRUSTED_PROXIES": str(proxies), "PYTHONPATH": str(path)}
        self.application = Application(folder / "application", database, settings=settings)

    @property
    def port(self) -> int:
        return self.application.port

    def hashes(self) -> int:
        return self.noted.read_bytes().count(b"\n") if self.noted.exists() else 0


@pytest.fixture
def guarded(request: pytest.FixtureRequest, postgres: PostgreSQL, tmp_path: Path) -> Iterator[Guarded]:
    server = Guarded(tmp_path, postgres.url(), getattr(request, "param", 1))
    with serving(server.application):
        yield server


def superuser(application: Application) -> Person:
    (root,) = people(application, 1)
    application.run(
        "from accounts.models import User\n"
        f"User.objects.filter(pk={root.pk}).update(is_superuser=True, is_staff=True)"
    )
    return root


def assert_locked(answer: Answer) -> None:
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_many_wrong_passwords_at_once_lock_the_pair_out(guarded: Guarded, figure: Any) -> None:
    root, bob = superuser(guarded.application), people(guarded.application, 1)[0]
    here, there = "198.51.100.7", "203.0.113.9"
    # The owner's usual address.
    assert log_in(guarded.port, root.username, x_forwarded_for=there).status == 200
    before = guarded.hashes()

    # Each with something of its own in front of what the proxy appends.
    calls = [
        lambda: log_in(guarded.port, root.username, WRONG, x_forwarded_for=f"{random_address()}, {here}")
    ] * GUESSES
    answers = together(calls)
    # Most of them may have been told to come again.
    while not any(answer.status == 429 for answer in answers):
        answers.append(calls[0]())
    statuses = Counter(answer.status for answer in answers)
    hashes = guarded.hashes() - before
    right = log_in(guarded.port, root.username, x_forwarded_for=here)
    forged = [
        log_in(guarded.port, root.username, x_forwarded_for=f"{random_address()}, {here}") for _ in range(20)
    ]
    admin = admin_login(guarded.port, root.username, PASSWORD, x_forwarded_for=here)
    unchecked = guarded.hashes() - before - hashes
    elsewhere = log_in(guarded.port, root.username, x_forwarded_for=there)
    admin_elsewhere = admin_login(guarded.port, root.username, PASSWORD, x_forwarded_for=there)
    other = log_in(guarded.port, bob.username, x_forwarded_for=here)
    guarded.application.stop()
    guarded.application.start()
    restarted = [
        log_in(guarded.port, root.username, x_forwarded_for=here),
        admin_login(guarded.port, root.username, PASSWORD, x_forwarded_for=here),
    ]

    figure(
        parallel=GUESSES,
        hashes_computed=hashes,
        told_wrong=statuses[401],
        refused=statuses[429],
        told_to_come_again=statuses[503],
        right_one_refused=sum(answer.status == 429 for answer in [right, *forged, admin, *restarted]),
        owner_elsewhere=elsewhere.status,
    )
    # Each worker may have one in hand when the last failure that counts is stored.
    assert FAILURES <= hashes <= FAILURES + guarded.application.workers - 1
    assert statuses[401] == FAILURES
    assert statuses.keys() <= {401, 429, 503}
    for answer in [right, *forged, admin, *restarted]:
        assert_locked(answer)
    assert unchecked == 0
    assert (elsewhere.status, admin_elsewhere.status, other.status) == (200, 302, 200)


@pytest.mark.parametrize("guarded", [0], ids=["without_a_proxy"], indirect=True)
def test_a_random_forwarded_address_is_no_way_around_the_lockout(guarded: Guarded, figure: Any) -> None:
    (alice,) = people(guarded.application, 1)
    before = guarded.hashes()

    def guess(password: str = WRONG) -> Answer:
        return log_in(guarded.port, alice.username, password, x_forwarded_for=random_address())

    statuses = Counter(answer.status for answer in together([guess] * GUESSES))
    while statuses[429] == 0:
        statuses[guess().status] += 1
    hashes = guarded.hashes() - before

    figure(parallel=GUESSES, hashes_computed=hashes, told_wrong=statuses[401], refused=statuses[429])
    assert FAILURES <= hashes <= FAILURES + guarded.application.workers - 1
    assert statuses[401] == FAILURES
    assert statuses.keys() <= {401, 429, 503}
    assert_locked(guess(PASSWORD))
    assert guarded.hashes() - before == hashes


@pytest.mark.parametrize("path", ["/auth/login", "/auth/register"])
def test_health_answers_while_more_passwords_wait_than_can_be_checked(
    application: Application, path: str, figure: Any
) -> None:
    (alice,) = people(application, 1)

    def enter(number: int) -> Answer:
        name = f"flood-{number}"
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        return Caller(application.port).call("POST", path, body)

    def look() -> Answer:
        answers = []
        for _ in range(20):
            answers.append(Caller(application.port).call("GET", "/health"))
            time.sleep(0.05)
        return max(answers, key=lambda answer: answer.seconds)

    *entered, health = together([*(lambda n=n: enter(n) for n in range(FLOOD)), look])
    statuses = Counter(answer.status for answer in entered)

    figure(
        logins=FLOOD,
        checked=statuses[401] + statuses[201],
        told_to_come_again=statuses[503],
        slowest_refusal=f"{max(answer.seconds for answer in entered if answer.status == 503):.2f} s",
        slowest_health=f"{health.seconds:.2f} s",
    )
    assert statuses.keys() == {401 if path == "/auth/login" else 201, 503}
    assert {answer.headers["Retry-After"] for answer in entered if answer.status == 503} == {"1"}
    assert health.seconds < (PROMPT if QUICK else 2)
    assert log_in(application.port, alice.username).status == 200


def test_failures_in_the_admin_count_for_the_api(guarded: Guarded, figure: Any) -> None:
    root, here = superuser(guarded.application), "198.51.100.8"
    before = guarded.hashes()
    wrong = [
        admin_login(guarded.port, root.username, WRONG, x_forwarded_for=here).status for _ in range(FAILURES)
    ]
    page = admin_login(guarded.port, root.username, PASSWORD, x_forwarded_for=here)
    api = log_in(guarded.port, root.username, x_forwarded_for=here)

    figure(wrong=len(wrong), hashes_computed=guarded.hashes() - before, admin=page.status, api=api.status)
    assert_locked(page)
    assert_locked(api)
    assert guarded.hashes() - before == FAILURES


def random_address() -> str:
    return ".".join(str(random.randint(1, 254)) for _ in range(4))


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
    assert abs(unknown / known - 1) < TOLERANCE


def test_a_change_of_keys_logs_nobody_out(postgres: PostgreSQL, tmp_path: Path, figure: Any) -> None:
    old, new = secrets.token_urlsafe(40), secrets.token_urlsafe(40)
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
