"""POST /reports."""

from typing import Any

import pytest
import time_machine
from rest_framework.test import APIClient

from accounts.models import User
from conftest import ApiClient
from messaging.tests.answers import NO_INTEGERS, UNKNOWN_IDS, faults, problem
from reports.models import Report
from tests.factories import MessageFactory

NOON = "2026-01-02T12:00:00.678901Z"
COMPLAINT = {"title": "Insults", "content": "He goes on."}
KEY = {"Idempotency-Key": "7f9c24e8-3b12-4f4e"}


@time_machine.travel(NOON, tick=False)
def test_filing_answers_with_an_open_report(as_user: ApiClient, alice: User) -> None:
    answer = as_user(alice).post("/reports", COMPLAINT)

    report = Report.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": report.pk,
        "reporter_id": alice.pk,
        "reporter_username": "alice",
        "title": "Insults",
        "content": "He goes on.",
        "message_id": None,
        "status": "open",
        "comment": None,
        "resolved_at": None,
        "resolved_by": None,
        "resolver_username": None,
        "created_at": NOON,
        "updated_at": NOON,
    }
    assert (report.reporter, report.title, report.status) == (alice, "Insults", Report.Status.OPEN)
    assert (report.message, report.message_content, report.message_sender) == (None, None, None)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_filing_about_a_message_keeps_what_it_says_and_who_sent_it(
    as_user: ApiClient, alice: User, bob: User, who: str
) -> None:
    """A report of a message that the reporter received, or sent."""
    message = MessageFactory(sender=bob, recipient=alice, content="You fool!")

    answer = as_user(alice if who == "alice" else bob).post(
        "/reports", {**COMPLAINT, "message_id": message.pk}
    )

    report = Report.objects.get()
    assert (answer.status_code, answer.json()["message_id"]) == (201, message.pk)
    assert (report.message, report.message_content, report.message_sender) == (message, "You fool!", bob)


def test_filing_takes_null_for_no_message(as_user: ApiClient, alice: User) -> None:
    answer = as_user(alice).post("/reports", {**COMPLAINT, "message_id": None})

    assert (answer.status_code, answer.json()["message_id"]) == (201, None)


@pytest.mark.parametrize("value", UNKNOWN_IDS)
def test_filing_about_an_unknown_message_is_refused(as_user: ApiClient, alice: User, value: int) -> None:
    answer = as_user(alice).post("/reports", {**COMPLAINT, "message_id": value})

    assert faults(answer) == {"message_id"}
    assert not Report.objects.exists()


@pytest.mark.parametrize("value", NO_INTEGERS)
def test_filing_about_what_is_no_integer_is_refused(as_user: ApiClient, alice: User, value: str) -> None:
    body = f'{{"title": "Insults", "content": "x", "message_id": {value}}}'
    answer = as_user(alice).post("/reports", body, content_type="application/json")

    assert faults(answer) == {"message_id"}
    assert not Report.objects.exists()


def test_filing_about_a_message_of_strangers_is_refused_like_a_missing_one(
    as_user: ApiClient, alice: User, bob: User, carol: User, superuser: User
) -> None:
    message = MessageFactory(sender=bob, recipient=alice)

    for outsider in (carol, superuser):
        client = as_user(outsider)
        strange = client.post("/reports", {**COMPLAINT, "message_id": message.pk})
        missing = client.post("/reports", {**COMPLAINT, "message_id": message.pk + 1})

        assert faults(strange) == {"message_id"}
        assert strange.json() == missing.json()
    assert not Report.objects.exists()


def test_filing_about_a_message_that_one_deleted_for_oneself_is_refused(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    message = MessageFactory(sender=bob, recipient=alice)
    client = as_user(alice)
    client.delete(f"/messages/{message.pk}")

    assert faults(client.post("/reports", {**COMPLAINT, "message_id": message.pk})) == {"message_id"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "x"),
        ("title", "é" * 255),
        ("content", "x"),
        ("content", "😀" * 20_000),
        ("content", "  kept \n as it is "),
    ],
)
def test_filing_takes(as_user: ApiClient, alice: User, field: str, value: str) -> None:
    answer = as_user(alice).post("/reports", {**COMPLAINT, field: value})

    assert answer.status_code == 201
    assert answer.json()[field] == getattr(Report.objects.get(), field) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("title", value) for value in ("", "  ", "x" * 256, None, 5, True, ["x"], {})],
        *[("content", value) for value in ("", " \n", "x" * 20_001, None, 5, True, ["x"], {})],
    ],
)
def test_filing_refuses(as_user: ApiClient, alice: User, field: str, value: Any) -> None:
    answer = as_user(alice).post("/reports", {**COMPLAINT, field: value})

    assert faults(answer) == {field}
    assert not Report.objects.exists()


def test_filing_requires_title_and_content(as_user: ApiClient, alice: User) -> None:
    assert faults(as_user(alice).post("/reports", {})) == {"title", "content"}


def test_filing_ignores_what_is_not_the_reporters_to_set(as_user: ApiClient, alice: User, bob: User) -> None:
    forged = {"id": 777, "reporter_id": bob.pk, "status": "resolved", "comment": "x", "resolved_at": NOON}

    answer = as_user(alice).post("/reports", {**COMPLAINT, **forged, "message_content": "x"})

    report = Report.objects.get()
    assert answer.status_code == 201
    assert (report.reporter, report.status, report.comment) == (alice, "open", None)
    assert report.pk != 777
    assert (report.resolved_at, report.message_content) == (None, None)


def test_filing_requires_a_login(client: APIClient, db: None) -> None:
    assert problem(client.post("/reports", COMPLAINT))[0] == 401
    assert not Report.objects.exists()


def test_filing_once_more_with_the_same_key_is_a_replay(as_user: ApiClient, alice: User, bob: User) -> None:
    message = MessageFactory(sender=bob, recipient=alice)
    body = {**COMPLAINT, "message_id": message.pk}
    client = as_user(alice)
    first = client.post("/reports", body, headers=KEY)

    again = [client.post("/reports", body, headers=KEY), as_user(alice).post("/reports", body, headers=KEY)]

    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first
    assert [(each.status_code, each["Idempotent-Replayed"]) for each in again] == [(201, "true")] * 2
    assert [each.json() for each in again] == [first.json()] * 2
    assert Report.objects.count() == 1


def test_filing_something_else_with_the_same_key_is_422(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    client.post("/reports", COMPLAINT, headers=KEY)

    other = client.post("/reports", {**COMPLAINT, "title": "Threats"}, headers=KEY)

    assert problem(other)[0] == 422
    assert Report.objects.get().title == "Insults"


def test_filing_shares_its_keys_with_nobody_and_nothing_else(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    """The same key serves another user, and a message."""
    client = as_user(alice)
    body = {"recipient_id": bob.pk, "content": "Hello"}

    answers = [client.post("/reports", COMPLAINT, headers=KEY), client.post("/messages", body, headers=KEY)]
    answers.append(as_user(bob).post("/reports", COMPLAINT, headers=KEY))

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert not any("Idempotent-Replayed" in answer for answer in answers)
    assert Report.objects.count() == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ü"])
def test_filing_refuses_a_key_of_another_form(as_user: ApiClient, alice: User, key: str) -> None:
    answer = as_user(alice).post("/reports", COMPLAINT, headers={"Idempotency-Key": key})

    assert problem(answer)[0] == 400
    assert not Report.objects.exists()


def test_replay_of_a_report_shows_it_as_it_is_now(as_user: ApiClient, alice: User, bob: User) -> None:
    """Also when the message is gone, about which nothing could be filed any more."""
    message = MessageFactory(sender=bob, recipient=alice)
    body = {**COMPLAINT, "message_id": message.pk}
    client = as_user(alice)
    first = client.post("/reports", body, headers=KEY).json()
    as_user(bob).delete(f"/messages/{message.pk}")

    again = client.post("/reports", body, headers=KEY)

    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert again.json() == {**first, "message_id": None}
