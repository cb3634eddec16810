"""POST /auth/me/export: all that an account has here, as a zip."""

import json
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any
from zipfile import ZipFile, is_zipfile

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import ExternalIdentity, User
from accounts.services import exporting
from accounts.tests.mailbox import deliver
from aimessage.api.lists import pages
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from messaging import exporting as messaging
from messaging.models import Message
from messaging.services.messages import delete_message
from tests.factories import PASSWORD, BlockFactory, MessageFactory, ReportFactory, SessionFactory

pytestmark = pytest.mark.django_db

URL, PROOF = "/auth/me/export", {"current_password": PASSWORD}
NAMES = [
    "profile.json",
    "messages.ndjson",
    "conversations.json",
    "blocks.json",
    "reports.json",
    "addresses.json",
    "sessions.json",
    "tokens.json",
    "assistant.ndjson",
    "allowance.json",
    "README.txt",
]


def export(me: APIClient) -> dict[str, Any]:
    """By the name of the file, what it holds."""
    answer = me.post(URL, PROOF)
    assert answer.status_code == 200, answer.content
    archive = ZipFile(BytesIO(b"".join(answer.streaming_content)))  # type: ignore[attr-defined]
    assert archive.testzip() is None
    assert archive.namelist() == NAMES
    texts = {name: archive.read(name).decode() for name in NAMES}
    return {name: read(name, text) for name, text in texts.items()}


def read(name: str, text: str) -> Any:
    if name.endswith(".ndjson"):
        return [json.loads(line) for line in text.split("\n")[:-1]]
    return json.loads(text) if name.endswith(".json") else text


@pytest.fixture(params=[2, 200])
def _batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "BATCH", request.param)
    monkeypatch.setattr(messaging, "BATCH", request.param)


@pytest.mark.usefixtures("_batches")
def test_it_holds_what_the_api_shows(as_user: ApiClient, alice: User, bob: User, carol: User) -> None:
    me = as_user(alice, device_info="Phone", ip_address="192.0.2.7")
    for number in range(3):
        sent = MessageFactory(sender=alice, recipient=bob, content=f"Line {number}\nof \u2028 'two' 🔑")
        MessageFactory(sender=bob, recipient=alice, parent_id=sent.pk)
        MessageFactory(sender=carol, recipient=alice, conversation_id=f"team:{number}")
        BlockFactory(blocker=alice)
        ReportFactory(reporter=alice, message=sent)
    MessageFactory(sender=bob, recipient=carol)
    ReportFactory(reporter=bob)
    delete_message(MessageFactory(sender=bob, recipient=alice), actor=alice)
    BlockFactory(blocker=bob, blocked=alice)
    SessionFactory(user=alice, is_active=False)
    SessionFactory(user=bob)
    User.objects.filter(pk=alice.pk).update(created_at=timezone.now().replace(microsecond=0))
    user = me.get("/auth/me").json()

    found = export(me)

    assert {name: found["profile.json"][name] for name in user} == user
    assert found["messages.ndjson"] == me.get("/messages?limit=500").json()
    assert len(found["messages.ndjson"]) == 9
    assert found["conversations.json"] == me.get("/auth/conversations").json()
    assert len(found["conversations.json"]) == 4
    assert found["blocks.json"] == me.get("/auth/blocks").json()[::-1]
    assert found["reports.json"] == me.get("/reports").json()[::-1]
    assert len(found["reports.json"]) == 3
    sessions = found["sessions.json"]
    assert [(one["device_info"], one["is_active"]) for one in sessions] == [("Phone", True), (None, False)]
    assert sessions[0]["ip_address"] == "192.0.2.7"
    assert found["tokens.json"] == []
    assert "alice" in found["README.txt"]


def test_it_tells_what_else_is_known_of_the_account(as_user: ApiClient, alice: User) -> None:
    ExternalIdentity.objects.create(user=alice, issuer="https://app.example.org", subject="4711")
    User.objects.filter(pk=alice.pk).update(email_verified_at="2026-01-02T03:04:05Z")

    profile = export(as_user(alice))["profile.json"]

    assert profile["email_verified_at"] == "2026-01-02T03:04:05.000000Z"
    assert (profile["kind"], profile["identities"][0]["subject"]) == ("person", "4711")
    assert not {"password", "username_key", "email_key", "admin_epoch"} & set(profile)


def test_of_an_empty_account_there_are_all_files(as_user: ApiClient, alice: User) -> None:
    found = export(as_user(alice))

    assert [found[name] for name in NAMES[1:5]] == [[], [], [], []]


def test_no_secret_is_in_it(as_user: ApiClient, alice: User) -> None:
    me = as_user(alice)
    answer = me.post(URL, PROOF)
    archive = ZipFile(BytesIO(b"".join(answer.streaming_content)))  # type: ignore[attr-defined]

    held = b"".join(archive.read(name) for name in NAMES).decode()

    for secret in (me.session_row.session_token, alice.password, me.tokens.refresh_token, PASSWORD):
        assert secret not in held


@pytest.mark.parametrize(
    "accept", ["*/*", "application/zip", "application/json", "application/zip, */*;q=0.1"]
)
def test_it_is_a_download(as_user: ApiClient, alice: User, accept: str) -> None:
    answer = as_user(alice).post(URL, PROOF, HTTP_ACCEPT=accept)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == 'attachment; filename="account.zip"'
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Request-ID"]
    assert answer.streaming


@pytest.mark.parametrize("accept", ["*/*", "application/zip", "application/json"])
def test_its_errors_are_problems_whatever_is_accepted(as_user: ApiClient, alice: User, accept: str) -> None:
    me = as_user(alice)

    assert_problem(
        me.post(URL, {"current_password": "no"}, HTTP_ACCEPT=accept), 400, "Current password is incorrect"
    )
    assert_problem(me.post(URL, "[", content_type="application/json", HTTP_ACCEPT=accept), 400)
    assert_problem(me.get(URL, HTTP_ACCEPT=accept), 405)
    assert_problem(APIClient().post(URL, PROOF, HTTP_ACCEPT=accept), 401)
    assert_problem(me.post(URL, PROOF, HTTP_ACCEPT="image/png"), 406)


def test_it_is_throttled_by_user_and_failed_proofs_do_not_count(
    as_user: ApiClient, alice: User, bob: User, settings: Settings, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(timezone.now(), tick=False)
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "export": (3, 86400)}
    me = as_user(alice)
    for _ in range(3):
        me.post(URL, {"current_password": "wrong"})
        assert me.post(URL, PROOF).status_code == 200

    answer = me.post(URL, PROOF)

    assert_problem(answer, 429, code="throttled")
    assert int(answer["Retry-After"]) > 3600
    assert_problem(as_user(alice).post(URL, PROOF), 429)
    assert as_user(bob).post(URL, PROOF).status_code == 200
    time_machine.move_to(timezone.now() + timedelta(days=1, seconds=1), tick=False)
    assert as_user(alice).post(URL, PROOF).status_code == 200


def test_its_owner_is_told(as_user: ApiClient, alice: User, settings: Settings) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "export": (1, 86400)}
    User.objects.update(email_verified_at=timezone.now())
    me = as_user(alice)
    for sent in ({"current_password": "wrong"}, PROOF, PROOF):
        me.post(URL, sent)

    (message,) = deliver()

    assert (message.subject, message.to) == ("Your data was downloaded from AI Messaging", [alice.email])


def test_what_breaks_off_is_no_zip(
    as_user: ApiClient, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(user: User) -> Iterator[dict[str, Any]]:
        yield {"id": 1}
        raise RuntimeError

    whole = as_user(alice).post(URL, PROOF)
    body = b"".join(whole.streaming_content)  # type: ignore[attr-defined]
    assert is_zipfile(BytesIO(body))
    for size in range(len(body)):
        assert not is_zipfile(BytesIO(body[:size]))

    for name in exporting.sources:
        with monkeypatch.context() as patch:
            patch.setitem(exporting.sources, name, broken)
            answer = as_user(alice).post(URL, PROOF)
            sent = []
            with pytest.raises(RuntimeError):
                sent.extend(answer.streaming_content)  # type: ignore[attr-defined]
            assert not is_zipfile(BytesIO(b"".join(sent)))


def test_every_statement_reads_some_rows_and_no_offset(
    as_user: ApiClient, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "BATCH", 10)
    for _ in range(25):
        MessageFactory(sender=alice, recipient=bob)
    answer = as_user(alice).post(URL, PROOF)

    with CaptureQueriesContext(connection) as captured:
        b"".join(answer.streaming_content)  # type: ignore[attr-defined]

    of_messages = [query["sql"] for query in captured if '"is_read" AS' in query["sql"]]
    assert len(of_messages) == 2 * 4
    assert all("LIMIT 10" in sql and "OFFSET" not in sql for sql in of_messages)
    assert pages.MAX_LIMIT >= exporting.BATCH


def test_it_takes_the_same_memory_however_much_there_is(
    as_user: ApiClient, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "BATCH", 20)
    me, first = as_user(alice), MessageFactory(sender=alice, recipient=bob)

    def peak(count: int) -> int:
        text = "x" * 4000
        copies = (
            Message(sender=alice, recipient=bob, conversation_id=first.conversation_id, content=text)
            for _ in range(count)
        )
        Message.objects.bulk_create(copies)
        answer = me.post(URL, PROOF)
        tracemalloc.start()
        for _ in answer.streaming_content:  # type: ignore[attr-defined]
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few, many = peak(40), peak(400)
    assert many < few + 400_000  # 1.4 MB more are written


def test_what_comes_meanwhile_does_no_harm(as_user: ApiClient, alice: User, bob: User) -> None:
    for _ in range(3):
        MessageFactory(sender=alice, recipient=bob)
    answer = as_user(alice).post(URL, PROOF)
    parts = iter(answer.streaming_content)  # type: ignore[attr-defined]
    body = next(parts)
    User.objects.get(pk=bob.pk).delete()
    MessageFactory(sender=alice)

    archive = ZipFile(BytesIO(body + b"".join(parts)))

    assert len(archive.read("messages.ndjson").splitlines()) == 4
