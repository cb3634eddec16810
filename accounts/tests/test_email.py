from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import Invitation, User
from accounts.services.users import delete_user
from accounts.tests.mailbox import code_in, deliver, token_in
from aimessage.jobs.models import Job
from aimessage.mail.models import Mail
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import PASSWORD, InvitationFactory, UserFactory

pytestmark = pytest.mark.django_db

INVALID = "Link or code is invalid or expired"
DORA = {"username": "dora", "email": "dora@example.org", "password": PASSWORD}


def verify(**sent: str) -> Any:
    return APIClient().post("/auth/email/verify", sent)


def resend(email: str) -> Any:
    return APIClient().post("/auth/email/resend", {"email": email})


def change(client: APIClient, email: str, password: str = PASSWORD) -> Any:
    return client.put("/auth/me/email", {"email": email, "current_password": password})


def test_a_registration_has_a_mail_sent_that_verifies() -> None:
    APIClient().post("/auth/register", DORA)
    (sent,) = deliver()
    answer = verify(token=token_in(sent))

    assert sent.to == ["dora@example.org"]
    assert (answer.status_code, answer.json()) == (200, {"message": "E-mail address verified"})
    assert User.objects.get().email_verified_at is not None
    assert_problem(verify(token=token_in(sent)), 400, INVALID)


def test_the_code_verifies_too() -> None:
    APIClient().post("/auth/register", DORA)
    (sent,) = deliver()

    assert verify(email="Dora@example.org", code=code_in(sent).lower()).status_code == 200


@pytest.mark.parametrize("kind", ["token", "code"])
@pytest.mark.parametrize("pending", [False, True])
@pytest.mark.parametrize(("minutes", "status"), [(24 * 60 - 1, 200), (24 * 60 + 1, 400)])
def test_it_is_good_for_a_day(
    alice: User,
    as_user: ApiClient,
    time_machine: TimeMachineFixture,
    kind: str,
    pending: bool,
    minutes: int,
    status: int,
) -> None:
    email = "alice@new.example" if pending else alice.email
    if pending:
        change(as_user(alice), email)
    else:
        resend(email)
    (sent,) = deliver()
    code = {"email": email, "code": code_in(sent)}
    time_machine.move_to(timezone.now() + timedelta(minutes=minutes))

    assert verify(**({"token": token_in(sent)} if kind == "token" else code)).status_code == status


def test_only_the_newest_verifies() -> None:
    APIClient().post("/auth/register", DORA)
    (first,) = deliver()
    resend(DORA["email"])
    (second,) = deliver()

    assert_problem(verify(token=token_in(first)), 400, INVALID)
    assert_problem(verify(email=DORA["email"], code=code_in(first)), 400, INVALID)
    assert verify(token=token_in(second)).status_code == 200


def test_five_wrong_codes_end_the_code_and_not_the_link() -> None:
    APIClient().post("/auth/register", DORA)
    (sent,) = deliver()
    for _ in range(5):
        assert_problem(verify(email=DORA["email"], code="BBBB-BBBB"), 400, INVALID)

    assert_problem(verify(email=DORA["email"], code=code_in(sent)), 400, INVALID)
    assert verify(token=token_in(sent)).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"token": ""},
        {"token": "x" * 5000},
        {"token": "é☃"},
        {"code": "BCDF-GHJK"},
        {"email": "dora@example.org"},
        {"email": "nobody@example.org", "code": "BCDF-GHJK"},
        {"email": "☃", "code": "☃"},
    ],
)
def test_anything_else_is_one_answer(sent: dict[str, str]) -> None:
    APIClient().post("/auth/register", DORA)
    deliver()

    assert_problem(verify(**sent), 400, INVALID, code="invalid_token")
    assert User.objects.get().email_verified_at is None


def test_a_link_that_resets_verifies_nothing_and_the_other_way_round(alice: User) -> None:
    resend(alice.email)
    APIClient().post("/auth/password/reset", {"email": alice.email})
    verifying, resetting = deliver()

    assert_problem(verify(token=token_in(resetting)), 400, INVALID)
    assert_problem(verify(email=alice.email, code=code_in(resetting)), 400, INVALID)
    sent = {"token": token_in(verifying), "new_password": "amber-kettle-77"}
    assert_problem(APIClient().post("/auth/password/reset/confirm", sent), 400, INVALID)
    assert verify(token=token_in(verifying)).status_code == 200


def test_the_disabled_verify_nothing(alice: User) -> None:
    resend(alice.email)
    (sent,) = deliver()
    User.objects.update(is_active=False)

    assert_problem(verify(token=token_in(sent)), 400, INVALID)
    resend(alice.email)
    assert deliver() == []


@pytest.mark.parametrize("address", ["", "dora@example.org"])
def test_an_invitation_for_an_address_verifies_it(address: str) -> None:
    InvitationFactory(code="code", email=address)

    assert APIClient().post("/auth/register", {**DORA, "invitation": "code"}).status_code == 201

    assert (User.objects.get().email_verified_at is not None) == bool(address)
    assert len(deliver()) == (not address)


def test_a_client_may_have_so_many_mails_sent(alices: APIClient, settings: Settings) -> None:
    """Whichever way: they count together."""
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "mail": (3, 3600)}

    statuses = [
        resend("nobody@example.org").status_code,
        change(alices, "alice@new.example").status_code,
        APIClient().post("/auth/password/reset", {"email": "x@example.org"}).status_code,
        change(alices, "alice@newer.example").status_code,
        resend("nobody@example.org").status_code,
    ]

    assert statuses == [202, 202, 202, 429, 429]


def test_a_refused_registration_sends_nothing() -> None:
    UserFactory(email="dora@example.org")
    APIClient().post("/auth/register", DORA)

    assert not Mail.objects.exists()


@pytest.mark.parametrize(("name", "value"), [("EMAIL_VERIFICATION", "off"), ("MAIL_ON", False)])
def test_where_nothing_is_verified_a_registration_sends_nothing(
    settings: Settings, name: str, value: Any
) -> None:
    setattr(settings, name, value)

    assert APIClient().post("/auth/register", DORA).status_code == 201
    assert resend(DORA["email"]).status_code == (202 if settings.MAIL_ON else 403)
    assert not Mail.objects.exists()


def test_it_is_sent_again_to_those_who_wait_alone(alice: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
    answers = [resend(email) for email in (alice.email, bob.email, "nobody@example.org")]

    assert {(one.status_code, one.content) for one in answers} == {(202, answers[0].content)}
    assert [sent.to for sent in deliver()] == [[alice.email]]


def test_a_registration_counts_against_the_limit_of_its_address(settings: Settings) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "mail_address": (2, 3600)}
    APIClient().post("/auth/register", DORA)

    assert [resend("dora@example.org").status_code for _ in range(3)] == [202] * 3
    assert Mail.objects.count() == 2


def test_a_login_may_need_a_verified_address(alice: User, settings: Settings) -> None:
    settings.EMAIL_VERIFICATION = "required"
    sent = {"username": "alice", "password": PASSWORD}
    refused = APIClient().post("/auth/login", sent)
    assert_problem(refused, 403, "E-mail address not verified", code="email_unverified")
    assert APIClient().post("/auth/login", {**sent, "password": "wrong"}).status_code == 401

    resend(alice.email)
    verify(token=token_in(deliver()[0]))

    assert APIClient().post("/auth/login", sent).status_code == 200


# --- Another address ----------------------------------------------------------------------------


@pytest.fixture
def alices(as_user: ApiClient, alice: User) -> APIClient:
    User.objects.filter(pk=alice.pk).update(email_verified_at=timezone.now())
    return as_user(alice)


def test_a_new_address_counts_once_it_is_verified(alices: APIClient, alice: User) -> None:
    answer = change(alices, "Alice@new.example")
    assert answer.status_code == 202
    assert answer.json() == {
        "message": "A mail is on its way to the new address",
        "email_pending": "Alice@new.example",
    }
    (sent,) = deliver()
    assert sent.to == ["Alice@new.example"]
    assert alices.get("/auth/me").json()["email"] == alice.email

    APIClient().post("/auth/password/reset", {"email": alice.email})
    (reset,) = deliver()
    assert verify(token=token_in(sent)).json() == {"message": "E-mail address verified"}

    assert alices.get("/auth/me").json()["email"] == "Alice@new.example"
    (told,) = deliver()
    assert told.to == [alice.email]
    dead = {"token": token_in(reset), "new_password": "amber-kettle-77"}
    assert_problem(APIClient().post("/auth/password/reset/confirm", dead), 400, INVALID)


def test_a_code_verifies_a_new_address(alices: APIClient) -> None:
    change(alices, "alice@new.example")
    (sent,) = deliver()

    assert verify(email="alice@new.example", code=code_in(sent)).status_code == 200


def test_the_old_address_stays_in_no_invitation_that_is_used_up(alices: APIClient, alice: User) -> None:
    InvitationFactory(email=alice.email.upper(), uses=1)
    kept = [InvitationFactory(email=alice.email), InvitationFactory(email="bob@example.org", uses=1)]
    change(alices, "alice@new.example")
    (sent,) = deliver()
    assert Invitation.objects.count() == 3

    verify(token=token_in(sent))

    assert list(Invitation.objects.order_by("pk")) == kept


def test_a_new_request_takes_the_place_of_the_old(alices: APIClient) -> None:
    change(alices, "alice@new.example")
    (old,) = deliver()
    change(alices, "alice@newer.example")

    assert_problem(verify(token=token_in(old)), 400, INVALID)
    (new,) = deliver()
    assert verify(token=token_in(new)).status_code == 200


def test_the_present_address_withdraws_a_change(alices: APIClient, alice: User) -> None:
    change(alices, "alice@new.example")
    (sent,) = deliver()
    answer = change(alices, alice.email.upper())

    assert (answer.status_code, answer.json()) == (200, {"message": "Email unchanged", "email_pending": None})
    assert_problem(verify(token=token_in(sent)), 400, INVALID)


@pytest.mark.parametrize("typed", ["alice@new.example", "ALICE@new.EXAMPLE"])
def test_a_mail_to_the_new_address_is_sent_again(alices: APIClient, alice: User, typed: str) -> None:
    change(alices, "alice@new.example")
    (first,) = deliver()

    assert resend(typed).status_code == 202

    (second,) = deliver()
    assert (second.to, second.subject) == (["alice@new.example"], first.subject)
    assert_problem(verify(token=token_in(first)), 400, INVALID)
    assert verify(token=token_in(second)).status_code == 200
    alice.refresh_from_db()
    assert alice.email == "alice@new.example"


def test_another_try_of_that_mail_carries_the_same_link(alices: APIClient) -> None:
    change(alices, "alice@new.example")
    deliver()
    resend("alice@new.example")
    (first,) = deliver()
    Mail.objects.filter(kind="verify").update(state="waiting", address="alice@new.example")
    Job.objects.update(status="READY")

    (second,) = deliver()

    assert token_in(second) == token_in(first)
    assert verify(token=token_in(second)).status_code == 200


def test_a_new_address_that_was_withdrawn_is_sent_nothing(alices: APIClient, alice: User) -> None:
    change(alices, "alice@new.example")
    deliver()
    change(alices, alice.email)
    resend("alice@new.example")
    change(alices, "alice@newer.example")
    resend("alice@new.example")

    assert [message.to for message in deliver()] == [["alice@newer.example"]]


def test_a_mail_that_is_held_back_leaves_the_earlier_link_alive(
    alices: APIClient, settings: Settings, alice: User
) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "mail_address": (1, 3600)}
    change(alices, "alice@new.example")
    (sent,) = deliver()

    answer = change(alices, "Alice@NEW.example")

    assert (answer.status_code, answer.json()["email_pending"]) == (202, "Alice@new.example")
    assert deliver() == []
    assert verify(token=token_in(sent)).status_code == 200
    alice.refresh_from_db()
    assert alice.email == "Alice@new.example"


def test_of_a_mail_that_is_held_back_no_other_mail_takes_the_place(
    alices: APIClient, settings: Settings
) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "mail_address": (1, 3600)}
    resend("bob@example.org")
    change(alices, "alice@new.example")
    change(alices, "bob@example.org")

    assert deliver() == []


def test_a_taken_address_is_refused_now_and_later(alices: APIClient, alice: User, bob: User) -> None:
    assert_problem(change(alices, bob.email.upper()), 400, "Email already registered")
    change(alices, "alice@new.example")
    (sent,) = deliver()
    UserFactory(email="Alice@New.example")

    assert_problem(verify(token=token_in(sent)), 400, "Email already registered")
    assert alices.get("/auth/me").json()["email"] == alice.email
    # The link is good still, should the other one go.
    User.objects.get(email="Alice@new.example").delete()
    assert verify(token=token_in(sent)).status_code == 200


def test_it_needs_proof(alices: APIClient, alice: User) -> None:
    refused = assert_problem(change(alices, "alice@new.example", "wrong"), 400)

    assert refused["codes"] == {"current_password": ["wrong_password"]}
    assert User.objects.get(pk=alice.pk).email_pending is None


def test_whether_an_address_is_taken_is_told_after_the_proof_alone(alices: APIClient, bob: User) -> None:
    refused = assert_problem(change(alices, bob.email, "wrong"), 400)

    assert refused["codes"] == {"current_password": ["wrong_password"]}


@pytest.mark.parametrize("email", ["", "alice", None, 5, ["a@b.org"], "a@b@c", "x" * 250 + "@example.org"])
def test_it_takes_an_address(alices: APIClient, alice: User, email: Any) -> None:
    assert list(assert_problem(change(alices, email), 400)["errors"]) == ["email"]
    alice.refresh_from_db()
    assert alice.email_pending is None


@pytest.mark.parametrize(("name", "value"), [("EMAIL_VERIFICATION", "off"), ("MAIL_ON", False)])
def test_where_nothing_is_verified_it_changes_at_once(
    alices: APIClient, settings: Settings, name: str, value: Any
) -> None:
    setattr(settings, name, value)

    answer = change(alices, "alice@new.example")

    assert (answer.status_code, answer.json()) == (200, {"message": "Email changed", "email_pending": None})
    assert alices.get("/auth/me").json()["email"] == "alice@new.example"


def test_an_unverified_address_is_told_nothing(as_user: ApiClient, alice: User) -> None:
    as_user(alice).put("/auth/me/password", {"current_password": PASSWORD, "new_password": "amber-kettle-77"})

    assert deliver() == []


def test_an_address_that_the_admin_sets_is_not_verified_and_the_old_one_is_told(
    alice: User, superuser: User, browser_of: Any
) -> None:
    User.objects.filter(pk=alice.pk).update(email_verified_at=timezone.now(), email_pending="x@example.org")
    desk: Client = browser_of(superuser)
    page = f"/admin/accounts/user/{alice.pk}/change/"
    form = desk.get(page).context["adminform"].form
    sent = {name: value for name in form.fields if (value := form[name].value()) not in (None, False, [])}
    initial = {f"initial-{name}": value for name, value in sent.items()}

    answer = desk.post(page, {**initial, **sent, "email": "new@example.org"})

    assert answer.status_code == 302
    alice.refresh_from_db()
    assert (alice.email, alice.email_verified_at, alice.email_pending) == ("new@example.org", None, None)
    assert [(message.subject, message.to) for message in deliver()] == [
        ("The e-mail address of your AI Messaging account was changed", ["alice@example.org"])
    ]


def test_of_a_deleted_account_no_mail_waits_with_its_address(alice: User, superuser: User) -> None:
    APIClient().post("/auth/password/reset", {"email": "ALICE@example.org"})
    APIClient().post("/auth/password/reset", {"email": "bob@example.org"})
    delete_user(alice, actor=superuser)

    assert [mail.address for mail in Mail.objects.all()] == ["bob@example.org"]
