"""Every error has a code for programs, which docs/api.md and the API's description list."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.api import problems
from aimessage.api.problems import STATUS_CODES, TooManyRequests
from aimessage.tests.asserts import SNAKE_CASE, assert_problem, documented_codes
from conftest import ApiClient
from tests.described import OPERATIONS, described_codes, resolve
from tests.factories import PASSWORD, BlockFactory, MessageFactory, ReportFactory

ROOT = Path(__file__).parents[1]
KINDS = [kind for kind in vars(problems).values() if isinstance(kind, type)]
ERRORS = [kind for kind in KINDS if issubclass(kind, problems.DomainError)]

pytestmark = pytest.mark.django_db


def listed() -> dict[tuple[str, int], set[str]]:
    """By operation and status, the codes that the description has."""
    return {
        (name, status): codes
        for name, operation in OPERATIONS.items()
        for status, codes in described_codes(operation["method"], operation["path"]).items()
    }


def test_every_operation_lists_its_codes_by_status() -> None:
    for name, operation in OPERATIONS.items():
        statuses = {int(status) for status in operation["responses"] if status >= "400"}
        assert {status for one, status in listed() if one == name} == statuses
    assert all(listed().values())


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_code_that_it_lists_has_an_example_and_no_other_has(name: str) -> None:
    for status, response in OPERATIONS[name]["responses"].items():
        if status >= "400":
            (described,) = resolve(response)["content"].values()
            shown = {example["value"]["code"] for example in described["examples"].values()}
            assert shown == listed()[name, int(status)]


def test_the_documentation_has_every_code_and_no_other() -> None:
    described = {code for codes in listed().values() for code in codes}
    made = {kind("So", **({"retry_after": 1} if kind is TooManyRequests else {})).code for kind in ERRORS}

    assert documented_codes()["Codes"] == described | made | set(STATUS_CODES.values())
    assert all(SNAKE_CASE.fullmatch(code) for codes in documented_codes().values() for code in codes)


def test_the_description_of_a_refresh_shows_the_sentence_that_it_answers(client: APIClient) -> None:
    answer = client.post("/auth/refresh", {"refresh_token": "nonsense"})
    (described,) = OPERATIONS["refresh_tokens"]["responses"]["401"]["content"].values()

    assert [example["value"] for example in described["examples"].values()] == [answer.json()]


def test_nginx_answers_with_the_same_codes() -> None:
    conf = (ROOT / "deploy/nginx/aimessage.conf").read_text()
    found = re.search(r"map \$status \$aimessage_code {(.*?)}", conf, re.DOTALL)
    assert found
    codes = dict(re.findall(r'(\w+) "(\w+)";', found[1]))

    assert codes.pop("default") == "unreadable"
    assert {int(status): code for status, code in codes.items()} == {
        status: code for status, code in STATUS_CODES.items() if str(status) in codes
    }
    # Without it a 413 over HTTP/2, which the drill's client does not speak, is a page of HTML.
    assert re.search(r"location = /_problem {\s+internal;\s+#.*\s+client_max_body_size 0;", conf)
    handled = re.findall(r"error_page ([\d ]+) /_problem", conf)
    assert set(handled[0].split()) - set(codes) == {"400"}


REGISTER = {"username": "dora", "email": "dora@example.org", "password": PASSWORD}
Ask = Callable[..., Any]


@pytest.mark.parametrize(
    ("path", "body", "codes"),
    [
        ("/auth/register", {}, {"username": ["required"], "email": ["required"], "password": ["required"]}),
        ("/auth/register", {**REGISTER, "username": None}, {"username": ["null"]}),
        ("/auth/register", {**REGISTER, "username": ""}, {"username": ["blank"]}),
        ("/auth/register", {**REGISTER, "username": "a b"}, {"username": ["invalid"]}),
        ("/auth/register", {**REGISTER, "username": "x" * 101}, {"username": ["max_length"]}),
        ("/auth/register", {**REGISTER, "username": 7}, {"username": ["invalid"]}),
        ("/auth/register", {**REGISTER, "email": "nonsense"}, {"email": ["invalid"]}),
        ("/auth/register", {**REGISTER, "password": "short"}, {"password": ["min_length"]}),
        (
            "/auth/register",
            {**REGISTER, "password": "12345678"},
            {"password": ["password_too_common", "password_entirely_numeric"]},
        ),
        (
            "/auth/register",
            {**REGISTER, "username": "dora-dale", "password": "dora-dale-1"},
            {"password": ["password_too_similar"]},
        ),
        ("/auth/register", {**REGISTER, "phone_number": "12"}, {"phone_number": ["invalid"]}),
        ("/auth/register", {**REGISTER, "username": "ALICE"}, {"username": ["taken"]}),
        ("/auth/register", {**REGISTER, "email": "alice@example.org"}, {"email": ["taken"]}),
        ("/messages", {"content": "Noon?"}, {"recipient_id": ["required"]}),
        (
            "/messages",
            {"content": " ", "recipient_id": True},
            {"recipient_id": ["invalid"], "content": ["blank"]},
        ),
        ("/messages", {"content": "Noon?", "recipient_id": "me"}, {"recipient_id": ["yourself"]}),
        (
            "/messages",
            {"content": "Noon?", "recipient_id": "bob", "parent_id": 9},
            {"parent_id": ["does_not_exist"]},
        ),
        ("/auth/blocks", {"user_id": "me"}, {"user_id": ["yourself"]}),
        ("/reports", {"title": "x" * 256, "content": "So."}, {"title": ["max_length"]}),
        ("/reports", {"title": "So", "content": "So.", "message_id": 9}, {"message_id": ["does_not_exist"]}),
    ],
)  # fmt: skip
def test_a_value_that_breaks_a_rule_has_a_word_for_each_message(
    as_user: ApiClient, alice: User, bob: User, path: str, body: Any, codes: dict[str, list[str]]
) -> None:
    alice.email = "alice@example.org"
    alice.save()
    ids = {"me": alice.pk, "bob": bob.pk}
    sent = {
        name: ids.get(value, value) if name.endswith("_id") and isinstance(value, str) else value
        for name, value in body.items()
    }

    problem = assert_problem(as_user(alice).post(path, sent), 400)

    assert (problem["code"], problem["codes"]) == ("invalid", codes)


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("limit=0", {"limit": ["invalid"]}),
        ("unread_only=perhaps", {"unread_only": ["invalid"]}),
        (f"search={'x' * 201}", {"search": ["max_length"]}),
        ("before=1&after=2", {"non_field_errors": ["invalid"]}),
        ("conversation_id=%00", {"non_field_errors": ["null_characters_not_allowed"]}),
    ],
)
def test_query_parameters_have_words_too(
    as_user: ApiClient, alice: User, query: str, codes: dict[str, list[str]]
) -> None:
    assert assert_problem(as_user(alice).get(f"/messages?{query}"), 400)["codes"] == codes


def test_a_report_that_is_taken_up_and_a_status_that_is_none(as_user: ApiClient, alice: User) -> None:
    report = ReportFactory(reporter=alice, status="in_progress")
    me = as_user(alice)

    changed = assert_problem(me.put(f"/reports/{report.pk}", {"title": "So"}), 400)
    listed_by = assert_problem(me.get("/reports?status=lost"), 400)

    assert changed["codes"] == {"non_field_errors": ["not_open"]}
    assert listed_by["codes"] == {"status": ["invalid_choice"]}


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"[]", b'"x"', b"\xff", b'{"a": NaN}', b'{"a": "\\u0000"}', b'{"a": "\\ud800"}'),
        b'{"a":' + b"[" * 70 + b"]" * 70 + b"}",
    ],
)
def test_a_body_that_is_no_json_object_is_unreadable(client: APIClient, body: bytes) -> None:
    answer = client.generic("POST", "/auth/login", body, content_type="application/json")

    problem = assert_problem(answer, 400)
    assert (problem["code"], problem["codes"]) == ("unreadable", {"non_field_errors": ["unreadable"]})


def test_the_wrong_password_and_the_wrong_tokens(
    client: APIClient, as_user: ApiClient, alice: User, bob: User
) -> None:
    guess = {"username": "alice", "password": "wrong-password-9"}
    wrong = {"current_password": "wrong-password-9", "new_password": "amber-kettle-77"}
    User.objects.filter(pk=bob.pk).update(is_active=False)
    expired = {"HTTP_AUTHORIZATION": "Bearer nonsense"}

    changed = assert_problem(as_user(alice).put("/auth/me/password", wrong), 400)
    answers = {
        "invalid_credentials": client.post("/auth/login", guess),
        "account_disabled": client.post("/auth/login", {"username": "bob", "password": PASSWORD}),
        "invalid_token": client.post("/auth/refresh", {"refresh_token": "nonsense"}),
        "not_authenticated": client.get("/auth/me"),
    }

    assert changed["codes"] == {"current_password": ["wrong_password"]}
    assert [answer.json()["code"] for answer in answers.values()] == list(answers)
    assert client.get("/auth/me", **expired).json()["code"] == "not_authenticated"


def test_what_one_may_not_do_says_why(
    as_user: ApiClient, alice: User, bob: User, carol: User, superuser: User
) -> None:
    sent, received = MessageFactory(sender=alice, recipient=bob), MessageFactory(sender=bob, recipient=alice)
    report = ReportFactory(reporter=alice)
    BlockFactory(blocker=carol, blocked=alice)
    me = as_user(alice)
    answers = {
        "blocked": me.post("/messages", {"recipient_id": carol.pk, "content": "Noon?"}),
        "not_sender": me.put(f"/messages/{received.pk}", {"content": "One?"}),
        "not_recipient": me.put(f"/messages/{sent.pk}/read"),
        "forbidden": as_user(superuser).put(f"/reports/{report.pk}", {"title": "So"}),
    }

    for code, answer in answers.items():
        assert_problem(answer, 403, code=code)


def test_a_key_that_comes_with_another_payload(as_user: ApiClient, alice: User, bob: User) -> None:
    key = {"HTTP_IDEMPOTENCY_KEY": "one"}
    me = as_user(alice)
    me.post("/messages", {"recipient_id": bob.pk, "content": "Noon?"}, **key)

    again = me.post("/messages", {"recipient_id": bob.pk, "content": "One?"}, **key)

    assert_problem(again, 422, code="idempotency_key_reused")


def test_too_many_requests_and_too_many_guesses(client: APIClient, alice: User, settings: Settings) -> None:
    guess = {"username": "alice", "password": "wrong-password-9"}
    codes = [client.post("/auth/login", guess).json()["code"] for _ in range(settings.LOCKOUT_FAILURES + 1)]
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "refresh": (1, 60)}
    for _ in range(2):
        refused = client.post("/auth/refresh", {"refresh_token": "nonsense"})

    assert codes[0] == "invalid_credentials"
    assert codes[-1] == "locked_out"
    assert_problem(refused, 429, code="throttled")


@pytest.mark.parametrize(
    ("status", "code", "ask"),
    [
        (400, "invalid", lambda client: client.get("/health", HTTP_HOST="evil.example.org")),
        (404, "not_found", lambda client: client.get("/nope")),
        (404, "not_found", lambda client: client.get("/static/nope.js")),
        (405, "method_not_allowed", lambda client: client.post("/health")),
        (405, "method_not_allowed", lambda client: client.generic("TRACE", "/auth/login")),
        (406, "not_acceptable", lambda client: client.get("/health", HTTP_ACCEPT="image/png")),
        (406, "not_acceptable", lambda client: client.get("/docs", HTTP_ACCEPT="image/png")),
        (413, "too_large", lambda client: client.post("/auth/login", {"username": "x" * 300_000})),
        (415, "unsupported_media_type",
         lambda client: client.generic("POST", "/auth/login", b"a=b", content_type="text/plain")),
        (403, "forbidden", lambda client: Client(enforce_csrf_checks=True).post(
            "/admin/login/", {}, HTTP_ACCEPT="application/json")),
    ],
)  # fmt: skip
def test_what_never_reaches_a_view_has_a_code(client: APIClient, status: int, code: str, ask: Ask) -> None:
    assert_problem(ask(client), status, code=code)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(RuntimeError(), 500, "internal_error"), (OperationalError(), 503, "unavailable")],
)
def test_what_goes_wrong_inside_has_a_code(
    client: APIClient, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    def fail(**fields: Any) -> None:
        raise error

    monkeypatch.setattr("accounts.views.account.register_user", fail)
    client.raise_request_exception = False

    assert_problem(client.post("/auth/register", REGISTER), status, code=code)
