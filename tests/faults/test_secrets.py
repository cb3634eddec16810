"""Secrets that are planted, and looked for in every log and in a dump of the database."""

import re
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.faults.clients import Answer, Caller, admin_login, people
from tests.faults.servers import Application, PostgreSQL, binary, serving

pytestmark = pytest.mark.faults

PASSWORDS = {"password": "crimson-anvil-7351", "new password": "violet-hammer-2604"}
TEXTS = {"text": "zanzibar-teapot-8842", "edited": "samarkand-kettle-5190"}
#: What a credential looks like: a token, a session's name, a key, in hex or base64.
LIKE_A_TOKEN = re.compile(r"[A-Za-z0-9_\-.:+/=$]{20,}")


def plant(application: Application) -> dict[str, str]:
    """Uses every secret wherever the API takes one, rightly and wrongly; returns them by what they are."""
    port, planted = application.port, {**PASSWORDS, **TEXTS}
    first, second = PASSWORDS.values()

    def call(method: str, path: str, body: Any = None, status: int = 200, **headers: Any) -> Any:
        answer: Answer = Caller(port).call(method, path, body, **headers)
        assert answer.status == status, answer.content
        return answer.json()

    def keep(pair: dict[str, str]) -> str:
        for kind in ("access_token", "refresh_token"):
            planted[f"{kind} {len(planted)}"] = pair[kind]
        return pair["access_token"]

    account = {"username": "dora", "email": "dora@example.org", "password": first}
    call("POST", "/auth/register", account, 201)
    call("POST", "/auth/register", account, 400)
    pair = call("POST", "/auth/login", {"username": "dora", "password": first})
    keep(pair)
    pair = call("POST", "/auth/refresh", {"refresh_token": pair["refresh_token"]})
    token = keep(pair)
    call("POST", "/auth/login", {"username": "dora", "password": first + "x"}, 401)
    call("POST", "/auth/login", {"username": ["dora"], "password": [first]}, 400)
    call("POST", "/auth/refresh", {"refresh_token": first}, 401)
    call("GET", "/auth/me", None, 401, token=first)
    call("GET", "/auth/me", None, 401, token=pair["refresh_token"])
    call("GET", f"/messages?access_token={token}", token=token)

    (bob,) = people(application, 1)
    text, edited = TEXTS.values()
    to_bob = {"recipient_id": bob.pk, "content": text}
    for _ in range(2):
        sent = call("POST", "/messages", to_bob, 201, token=token, idempotency_key="planted")
    call("POST", "/messages", {**to_bob, "content": edited}, 422, token=token, idempotency_key="planted")
    reply = {"recipient_id": bob.pk, "content": text, "parent_id": sent["id"]}
    call("POST", f"/auth/conversations/{sent['conversation_id']}/messages", reply, 201, token=token)
    call("PUT", f"/messages/{sent['id']}", {"content": edited}, token=token)
    call("POST", "/messages", {"recipient_id": 0, "content": text}, 404, token=token)
    call("POST", "/messages", {"recipient_id": text, "content": text}, 400, token=token)
    call("GET", f"/messages?search={text}", token=token)
    call("GET", f"/messages?{text}=1", token=token)
    call("GET", "/auth/conversations", token=bob.access)
    report = {"title": "Spam", "content": text, "message_id": sent["id"]}
    call("POST", "/reports", report, 201, token=bob.access)

    changed = {"current_password": first, "new_password": second}
    call("PUT", "/auth/me/password", {**changed, "current_password": second}, 400, token=token)
    call("PUT", "/auth/me/password", changed, token=token)
    pair = call("POST", "/auth/login", {"username": "dora", "password": second})
    token = keep(pair)
    application.run("from accounts.models import User; User.objects.update(is_superuser=True, is_staff=True)")
    page = admin_login(port, "dora", second)
    planted["cookie of the admin"] = page.headers["Set-Cookie"].partition("sessionid=")[2].partition(";")[0]
    assert admin_login(port, "dora", first).status == 200
    # In the midst of a body that breaks off, is too long, or is no JSON.
    for body in (b'{"username": "dora", "password": "%s' % second.encode(), second.encode() * 20_000):
        wrong = Caller(port).send("POST", "/auth/login", body, {"Content-Type": "application/json"})
        assert wrong.status in {400, 413}
    return planted


def test_neither_logs_nor_a_dump_hold_a_secret(postgres: PostgreSQL, tmp_path: Path, figure: Any) -> None:
    """A message's text is in its own table, and in the report about it; and nothing else is anywhere."""
    with serving(Application(tmp_path / "application", postgres.url(), workers=2)) as running:
        planted = plant(running)
        # A database that is gone in the midst of a request makes every layer complain.
        body = {"username": "dora", "password": PASSWORDS["new password"]}
        postgres.stop()
        try:
            down = [
                Caller(running.port).call("POST", "/auth/login", body).status,
                Caller(running.port).call("POST", "/auth/refresh", {"refresh_token": "x" * 40}).status,
            ]
        finally:
            postgres.start()
        logs = "\n".join(
            path.read_text(errors="replace")
            for path in [*(tmp_path / "application").rglob("*.log*"), postgres.folder / "log"]
            if path.is_file()
        )
        command = [binary("pg_dump"), "--inserts", postgres.url()]
        dump = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout
        words = set(LIKE_A_TOKEN.findall(dump))
        usable = [word for word in words if is_of_use(running.port, word)]

    in_logs = [what for what, secret in planted.items() if secret in logs]
    hits = [(what, line) for line in dump.splitlines() for what, secret in planted.items() if secret in line]
    tables = {(what, line.split()[2]) for what, line in hits if line.startswith("INSERT INTO")}
    with psycopg.connect(postgres.url()) as connection:
        stored = connection.execute("SELECT count(*) FROM accounts_refreshtoken").fetchone()

    figure(
        planted=len(planted),
        lines_of_log=logs.count("\n"),
        hits_in_logs=len(in_logs),
        in_the_dump=sorted(tables),
        words_of_the_dump_tried=len(words),
        of_use=len(usable),
    )
    # The second needs no database, but may meet a server that is busy with waiting for it.
    assert down in ([503, 401], [503, 503])
    assert stored is not None
    assert stored[0] >= 3
    assert in_logs == []
    # A text stands in its own table; a report keeps what the message and those around it said, and says why.
    assert tables <= ALLOWED
    assert usable == []


ALLOWED = {
    (text, f"public.{table}")
    for text in TEXTS
    for table in ("messaging_message", "reports_report", "reports_contextmessage")
}


def is_of_use(port: int, word: str) -> bool:
    """Whether it opens anything as a token of either kind."""
    caller = Caller(port)
    answers = [
        caller.call("GET", "/auth/me", token=word),
        caller.call("POST", "/auth/refresh", {"refresh_token": word}),
    ]
    caller.close()
    assert {answer.status for answer in answers} <= {200, 401}
    return any(answer.status == 200 for answer in answers)
