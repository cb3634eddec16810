from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as django_mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import MailSecret, SecondFactor, Session, User
from accounts.services.leaving import request_deletion
from accounts.tests.factors import enrol, finish, login_token
from accounts.tests.mailbox import code_in, deliver, token_in
from aimessage.jobs.models import Job
from aimessage.mail.models import Mail
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "amber-kettle-77"
INVALID = "Link or code is invalid or expired"


def ask(email: str) -> Any:
    return APIClient().post("/auth/password/reset", {"email": email})


def confirm(**sent: str) -> Any:
    return APIClient().post("/auth/password/reset/confirm", {"new_password": NEW, **sent})


def log_in(password: str) -> int:
    sent = {"username": "alice", "password": password}
    return int(APIClient().post("/auth/login", sent).status_code)


@pytest.fixture
def message(alice: User) -> Any:
    """The mail with which alice may reset her password."""
    assert ask(alice.email).status_code == 202
    (found,) = deliver()
    return found


def test_it_answers_alike_and_writes_alike_whoever_has_the_address(
    alice: User, django_assert_num_queries: Any
) -> None:
    answers = []
    for email in (alice.email, alice.email.upper(), "nobody@example.org"):
        with django_assert_num_queries(4):
            answers.append(ask(email))

    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    assert Mail.objects.count() == Job.objects.filter(queue_name="mail").count() == 3


def test_only_an_account_gets_a_mail_at_the_address_that_it_has(alice: User) -> None:
    ask(alice.email.upper())
    ask("nobody@example.org")

    (sent,) = deliver()

    assert sent.to == [alice.email]
    assert sorted(Mail.objects.values_list("state", "address")) == [("dropped", ""), ("sent", "")]


def test_the_disabled_get_none(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    ask(alice.email)

    assert deliver() == []


@pytest.mark.parametrize("email", ["", "alice", None, 5, "a@b@c", "x" * 300 + "@example.org"])
def test_it_needs_an_address(email: Any) -> None:
    assert_problem(ask(email), 400)
    assert not Mail.objects.exists()


@pytest.mark.parametrize("path", ["/auth/password/reset", "/auth/email/resend"])
@pytest.mark.parametrize("email", ["alice@example.org", "nobody@example.org"])
def test_without_mail_it_is_refused(alice: User, settings: Settings, path: str, email: str) -> None:
    settings.MAIL_ON = False

    answer = APIClient().post(path, {"email": email})

    assert_problem(answer, 403, "This server sends no mail", code="mail_off")
    assert not Mail.objects.exists()


def test_a_token_sets_a_password_once(message: Any, alice: User) -> None:
    answer = confirm(token=token_in(message))

    assert (answer.status_code, answer.json()) == (200, {"message": "Password changed successfully"})
    assert (log_in(PASSWORD), log_in(NEW)) == (401, 200)
    again = assert_problem(confirm(token=token_in(message)), 400, INVALID, code="invalid_token")
    assert again["codes"] == {"non_field_errors": ["invalid_token"]}


@pytest.mark.parametrize("typed", [str, str.lower, lambda code: f" {code.replace('-', ' ')} "])
def test_a_code_with_the_address_does_too(message: Any, alice: User, typed: Any) -> None:
    code = typed(code_in(message))

    assert confirm(email=alice.email.upper(), code=code).status_code == 200
    assert_problem(confirm(token=token_in(message)), 400, INVALID)


def test_a_code_is_no_good_for_another_address(message: Any, bob: User) -> None:
    ask(bob.email)
    deliver()

    assert_problem(confirm(email=bob.email, code=code_in(message)), 400, INVALID)


def test_everything_that_was_open_is_shut(
    message: Any, alice: User, as_user: ApiClient, as_program: ApiClient, browser_of: Any
) -> None:
    phone, program = as_user(alice), as_program(alice, "profile:read")
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    alice.refresh_from_db()
    desk: Client = browser_of(alice)
    User.objects.filter(pk=alice.pk).update(email_pending="mallory@example.org")

    confirm(token=token_in(message))

    assert phone.get("/auth/me").status_code == 401
    assert phone.post("/auth/refresh", {"refresh_token": phone.tokens.refresh_token}).status_code == 401
    assert program.get("/auth/me").status_code == 401
    assert desk.get("/admin/").status_code == 302
    assert not Session.objects.live().exists()
    alice.refresh_from_db()
    assert alice.email_verified_at is not None
    assert alice.email_pending is None


def test_the_second_factor_stays(message: Any, alice: User) -> None:
    app, codes = enrol(alice)
    half = login_token(APIClient())
    SecondFactor.objects.update(failures=50)

    answer = confirm(token=token_in(message))

    assert answer.json() == {"message": "Password changed successfully"}
    assert_problem(finish(APIClient(), half, code=app.code()), 401, "Log in again")
    sent = {"username": "alice", "password": NEW}
    assert_problem(APIClient().post("/auth/login", sent), 403, "Two-factor code required")
    # What too many wrong codes had shut is open again.
    assert APIClient().post("/auth/login", {**sent, "code": app.code()}).status_code == 200
    assert APIClient().post("/auth/login", {**sent, "recovery_code": codes[0]}).status_code == 200


def test_the_disabled_and_those_who_leave_use_no_link(alice: User, message: Any) -> None:
    User.objects.update(is_active=False)
    assert_problem(confirm(token=token_in(message)), 400, INVALID)
    assert_problem(confirm(email=alice.email, code=code_in(message)), 400, INVALID)

    User.objects.update(is_active=True)
    request_deletion(alice, erases=False)
    assert_problem(confirm(token=token_in(message)), 400, INVALID)


def test_who_is_logged_in_may_reset_too(alice: User, as_user: ApiClient) -> None:
    """Neither a session nor a header that is no good stands in the way."""
    nobody = APIClient()
    nobody.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
    for client in (as_user(alice), nobody):
        assert client.post("/auth/password/reset", {"email": alice.email}).status_code == 202
        sent = {"token": token_in(deliver()[-1]), "new_password": NEW}
        assert client.post("/auth/password/reset/confirm", sent).status_code == 200


def test_what_strangers_ask_for_and_guess_shuts_nobody_out(message: Any, alice: User) -> None:
    for _ in range(12):
        ask(alice.email)
        assert_problem(confirm(email=alice.email, code="BBBB-BBBB"), 400, INVALID)

    assert log_in(PASSWORD) == 200
    assert confirm(token=token_in(message)).status_code == 200


def test_it_is_told_by_mail(message: Any, alice: User) -> None:
    confirm(token=token_in(message))

    assert [sent.subject for sent in deliver()] == ["Your AI Messaging password was changed"]


def test_a_password_that_is_refused_uses_nothing_up(message: Any, alice: User) -> None:
    token, code = token_in(message), code_in(message)

    for _ in range(6):
        for bad in ("short", "1234567890", "alice-archer"):
            for secret in ({"token": token}, {"email": alice.email, "code": code}):
                refused = assert_problem(confirm(**secret, new_password=bad), 400)
                assert list(refused["errors"]) == ["new_password"]

    assert confirm(email=alice.email, code=code).status_code == 200


def test_five_wrong_codes_end_the_code_and_not_the_link(message: Any, alice: User) -> None:
    for _ in range(5):
        assert_problem(confirm(email=alice.email, code="BBBB-BBBB"), 400, INVALID)

    assert_problem(confirm(email=alice.email, code=code_in(message)), 400, INVALID)
    assert confirm(token=token_in(message)).status_code == 200


def test_four_wrong_codes_end_nothing(message: Any, alice: User) -> None:
    for _ in range(4):
        confirm(email=alice.email, code="BBBB-BBBB")

    assert confirm(email=alice.email, code=code_in(message)).status_code == 200


@pytest.mark.parametrize("kind", ["token", "code"])
@pytest.mark.parametrize(("minutes", "status"), [(59, 200), (61, 400)])
def test_it_is_good_for_an_hour(
    message: Any, alice: User, time_machine: TimeMachineFixture, kind: str, minutes: int, status: int
) -> None:
    token, code = {"token": token_in(message)}, {"email": alice.email, "code": code_in(message)}
    time_machine.move_to(timezone.now() + timedelta(minutes=minutes))

    assert confirm(**(token if kind == "token" else code)).status_code == status


def test_only_the_newest_is_good(message: Any, alice: User) -> None:
    ask(alice.email)
    (newer,) = deliver()

    assert_problem(confirm(token=token_in(message)), 400, INVALID)
    assert_problem(confirm(email=alice.email, code=code_in(message)), 400, INVALID)
    assert confirm(token=token_in(newer)).status_code == 200


def test_one_that_was_held_back_leaves_the_earlier_one_alive(alice: User, settings: Settings) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "mail_address": (2, 3600)}
    answers = [ask(alice.email) for _ in range(5)] + [ask(alice.email.upper())]
    sent = deliver()

    assert [answer.status_code for answer in answers] == [202] * 6
    # Where two wait together, only the newer one is sent.
    assert len(sent) in {1, 2}
    assert Mail.objects.count() == 2
    assert confirm(token=token_in(sent[-1])).status_code == 200


def test_a_client_may_ask_so_often(alice: User, settings: Settings) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "mail": (2, 3600), "confirm": (2, 60)}

    assert [ask("nobody@example.org").status_code for _ in range(3)] == [202, 202, 429]
    assert [confirm(token="x").status_code for _ in range(3)] == [400, 400, 429]


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"token": ""},
        {"token": "x" * 5000},
        {"token": "é☃"},
        {"code": "BCDF-GHJK"},
        {"email": "alice@example.org"},
        {"email": "nobody@example.org", "code": "BCDF-GHJK"},
        {"email": "x" * 5000, "code": "x" * 5000},
        {"email": "☃", "code": "☃"},
    ],
)
def test_anything_else_is_one_answer(alice: User, sent: dict[str, str]) -> None:
    answer = confirm(**sent)

    assert answer.status_code == 400
    assert answer.json()["detail"] == INVALID


def test_the_database_holds_nothing_that_works(message: Any, alice: User) -> None:
    secret = MailSecret.objects.get()
    rows = [*MailSecret.objects.values(), *Mail.objects.values(), *Job.objects.values()]

    assert token_in(message) not in str(rows)
    assert code_in(message).replace("-", "") not in str(rows)
    for stored in (secret.token, secret.code):
        assert_problem(confirm(token=stored), 400, INVALID)
        assert_problem(confirm(email=alice.email, code=stored), 400, INVALID)


def send_every_link(me: APIClient, email: str) -> dict[str, Any]:
    """By the page that each link leads to, the mail that it came in."""
    hosted = {"headers": {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}}
    proof = {"current_password": PASSWORD}
    me.post("/auth/email/resend", {"email": email}, **hosted)
    me.put("/auth/me/email", {"email": "alice@new.example", **proof}, **hosted)
    me.post("/auth/password/reset", {"email": email}, **hosted)
    links = dict(zip(["verify", "change", "reset"], deliver(), strict=True))
    me.post("/auth/me/delete", proof, **hosted)
    return {**links, "undelete": deliver()[-1]}


def test_no_mail_names_the_host_of_the_request(alice: User, as_user: ApiClient, settings: Settings) -> None:
    settings.ALLOWED_HOSTS, settings.PUBLIC_URL = ["*"], "https://chat.example.org"

    for page, sent in send_every_link(as_user(alice), alice.email).items():
        assert "evil.example" not in sent.message().as_string()
        path = page if page != "change" else "verify"
        assert f"/account/{path}?token={token_in(sent)}" in str(sent.body)


def test_the_links_are_the_operators_where_set(alice: User, as_user: ApiClient, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.LINKS = {page: f"myapp://{page}#token={{token}}" for page in settings.LINKS}

    for page, sent in send_every_link(as_user(alice), alice.email).items():
        link = f"myapp://{page if page != 'change' else 'verify'}#token={token_in(sent)}"
        assert link in str(sent.body)
        assert link in str(sent.alternatives[0][0])


def test_a_change_of_address_kills_the_link_to_the_old_one(message: Any, alice: User) -> None:
    alice.email = "alice@elsewhere.example"
    alice.save(update_fields=["email"])

    assert_problem(confirm(token=token_in(message)), 400, INVALID)


def test_a_second_try_of_a_mail_carries_the_same_link(alice: User, monkeypatch: Any) -> None:
    ask(alice.email)
    first = deliver()[0]
    Mail.objects.update(state="waiting")
    Job.objects.update(status="READY")
    second = deliver()[0]

    assert token_in(first) == token_in(second)
    assert first.extra_headers["Message-ID"] == second.extra_headers["Message-ID"]

    confirm(token=token_in(first))
    Mail.objects.update(state="waiting")
    Job.objects.update(status="READY")
    assert [sent.subject for sent in deliver() if "Reset" in sent.subject] == []
    assert django_mail.outbox is not None
