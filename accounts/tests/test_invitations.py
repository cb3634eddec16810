"""Who may register, and with which invitation."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import MODERATOR, Invitation, Role, User
from accounts.services import invitations
from accounts.services.users import delete_user
from accounts.tests.mailbox import deliver
from accounts.tokens import digest
from aimessage.audit.models import Entry
from aimessage.jobs.models import Job
from aimessage.mail.models import Mail
from aimessage.tests.asserts import assert_problem
from tests.factories import PASSWORD, InvitationFactory

pytestmark = pytest.mark.django_db

DORA = {"username": "dora", "email": "Dora@Example.org", "password": PASSWORD}


def register(client: APIClient, **changed: Any) -> Any:
    return client.post("/auth/register", {**DORA, **changed})


def uses() -> int:
    return Invitation.objects.get().uses


# --- Closed, by invitation, open ---


@pytest.mark.parametrize("invitation", [{}, {"invitation": "code"}])
def test_closed_means_closed(client: APIClient, settings: Settings, invitation: dict[str, str]) -> None:
    settings.REGISTRATION = "closed"
    InvitationFactory(code="code")

    answer = register(client, **invitation)

    assert_problem(answer, 403, "Registration is closed", code="registration_closed")
    assert (User.objects.exists(), uses()) == (False, 0)


@pytest.mark.parametrize("invitation", [{}, {"invitation": None}, {"invitation": ""}, {"invitation": "  "}])
def test_without_an_invitation_where_it_takes_one(
    client: APIClient, settings: Settings, alice: User, invitation: dict[str, Any]
) -> None:
    settings.REGISTRATION = "invite"

    # Names that are taken are not told to those who have none.
    for name in ("dora", "alice"):
        answer = register(client, username=name, **invitation)
        assert_problem(answer, 403, "Registration needs an invitation", code="invitation_required")

    assert User.objects.count() == 1


@pytest.mark.parametrize("mode", ["open", "invite"])
def test_with_an_invitation(client: APIClient, settings: Settings, mode: str) -> None:
    settings.REGISTRATION = mode
    InvitationFactory(code="code", max_uses=2)

    assert register(client, invitation=" code ").status_code == 201

    assert uses() == 1
    assert client.post("/auth/login", {"username": "dora", "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize("invitation", [{}, {"invitation": None}, {"invitation": ""}])
def test_an_open_server_needs_none(client: APIClient, invitation: dict[str, Any]) -> None:
    assert register(client, **invitation).status_code == 201


@pytest.mark.parametrize("mode", ["open", "invite"])
@pytest.mark.parametrize(
    "amiss",
    [
        {"code": "another"},
        {"code": "CODE"},
        {"uses": 1},
        {"max_uses": 3, "uses": 3},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"withdrawn_at": timezone.now()},
        {"email": "carol@example.org"},
        {"email": "dora@example.org.example.com"},
    ],
    ids=["unknown", "case", "used", "used up", "expired", "withdrawn", "address", "longer address"],
)
def test_one_that_is_no_good_is_refused_alike(
    client: APIClient, settings: Settings, mode: str, amiss: dict[str, Any]
) -> None:
    settings.REGISTRATION = mode
    made = InvitationFactory(**{"code": "code", **amiss})

    answer = register(client, invitation="code")

    problem = assert_problem(answer, 400, "Invitation is not valid")
    assert (problem["errors"], problem["codes"]) == (
        {"invitation": ["Invitation is not valid"]},
        {"invitation": ["invalid"]},
    )
    assert (User.objects.exists(), uses()) == (False, made.uses)


@pytest.mark.parametrize("code", ["x", "x" * 10_000, "c\xf6de", "co\nde", "%", digest("code")])
def test_a_text_that_is_no_code(client: APIClient, code: str) -> None:
    InvitationFactory(code="code")

    assert_problem(register(client, invitation=code), 400, "Invitation is not valid")


@pytest.mark.parametrize("code", [7, True, ["code"], {"code": "code"}])
def test_a_value_that_is_no_text(client: APIClient, code: Any) -> None:
    assert list(assert_problem(register(client, invitation=code), 400)["errors"]) == ["invitation"]


# --- A registration that is refused uses nothing up ---


@pytest.mark.parametrize(
    "changed",
    [
        {"username": "alice"},
        {"email": "alice@example.org"},
        {"phone_number": "+49 30 123456"},
        {"password": "12345678"},
        {"username": "a b"},
    ],
    ids=str,
)
def test_a_refused_registration_uses_none_up(client: APIClient, alice: User, changed: dict[str, Any]) -> None:
    User.objects.filter(pk=alice.pk).update(phone_number="+4930123456")
    InvitationFactory(code="code")

    assert_problem(register(client, invitation="code", **changed), 400)
    assert uses() == 0

    assert register(client, invitation="code").status_code == 201
    assert uses() == 1


# --- For an address, with a role ---


@pytest.mark.parametrize("email", ["dora@example.org", "DORA@example.ORG"])
def test_one_for_an_address_takes_it_in_any_case(client: APIClient, email: str) -> None:
    InvitationFactory(code="code", email=email)

    assert register(client, invitation="code").status_code == 201


def test_it_gives_its_role(client: APIClient, superuser: User, browser_of: Any) -> None:
    role = Role.objects.get(name=MODERATOR)
    InvitationFactory(code="code", role=role, created_by=superuser)

    assert register(client, invitation="code").status_code == 201

    dora = User.objects.get(username="dora")
    assert (list(dora.groups.values_list("name", flat=True)), dora.is_staff) == ([MODERATOR], True)
    assert not dora.is_superuser
    assert browser_of(dora).get("/admin/reports/report/").status_code == 200


def test_whoever_made_it_and_its_role_may_be_gone(client: APIClient, superuser: User) -> None:
    role, other = Role.objects.create(name="guests"), Role.objects.create(name="friends")
    InvitationFactory(code="one", role=role, created_by=superuser)
    InvitationFactory(code="two", role=other)
    superuser.delete()
    Group.objects.get(name="friends").delete()

    assert register(client, invitation="one").status_code == 201
    other_names = {"username": "erin", "email": "erin@example.org"}
    assert register(client, invitation="two", **other_names).status_code == 201

    assert list(User.objects.get(username="dora").groups.values_list("name", flat=True)) == ["guests"]
    assert not User.objects.get(username="erin").groups.exists()


def test_the_address_goes_with_the_account(alice: User, superuser: User) -> None:
    InvitationFactory(email="Alice@Example.org")
    kept = InvitationFactory(email="carol@example.org")

    delete_user(alice, actor=superuser)

    assert list(Invitation.objects.all()) == [kept]


def test_dead_ones_go_after_a_month() -> None:
    old, young = timezone.now() - timedelta(days=31), timezone.now() - timedelta(days=29)
    InvitationFactory(expires_at=old)
    InvitationFactory(withdrawn_at=old)
    kept = [InvitationFactory(expires_at=young), InvitationFactory(withdrawn_at=young), InvitationFactory()]

    assert invitations.sweep() == {"invitations": 2}
    assert list(Invitation.objects.order_by("pk")) == kept


# --- In the admin ---

FORM = {"email": "", "max_uses": 3, "days": 7, "note": "Friends", "role": ""}
ADD, LIST = "/admin/accounts/invitation/add/", "/admin/accounts/invitation/"


def test_a_superuser_makes_one_and_sees_its_code_once(
    desk: Client, superuser: User, client: APIClient, settings: Settings
) -> None:
    settings.REGISTRATION = "invite"
    page = desk.post(ADD, FORM, follow=True)

    (invitation,) = Invitation.objects.all()
    code = page.content.decode().partition("<code>")[2].partition("</code>")[0]
    assert invitation.code_hash == digest(code)
    assert (invitation.created_by, invitation.max_uses, invitation.note) == (superuser, 3, "Friends")
    assert timedelta(days=6, hours=23) < invitation.expires_at - timezone.now() <= timedelta(days=7)
    for path in (LIST, f"{LIST}{invitation.pk}/change/", f"{LIST}{invitation.pk}/history/"):
        again = desk.get(path).content.decode()
        assert code not in again
        assert invitation.code_hash not in again
    assert code not in str(list(Entry.objects.values()))

    assert register(client, invitation=code).status_code == 201


def test_one_for_an_address_is_mailed_there(desk: Client, client: APIClient, settings: Settings) -> None:
    settings.REGISTRATION = "invite"
    page = desk.post(ADD, {**FORM, "email": "zoe@example.org", "max_uses": 1}, follow=True)
    code = page.content.decode().partition("<code>")[2].partition("</code>")[0]
    assert code not in str([*Mail.objects.values(), *Job.objects.values(), *Invitation.objects.values()])

    (message,) = deliver()

    assert (message.subject, message.to) == ("You are invited to AI Messaging", ["zoe@example.org"])
    assert code in str(message.body)
    assert code in str(message.alternatives[0][0])
    assert "zoe@" not in str(list(Mail.objects.values()))
    assert register(client, email="zoe@example.org", invitation=code).status_code == 201
    assert User.objects.get(email="zoe@example.org").email_verified_at is not None


@pytest.mark.parametrize("address", ["", "zoe@example.org"])
def test_one_for_anybody_or_that_is_withdrawn_is_not_mailed(desk: Client, address: str) -> None:
    desk.post(ADD, {**FORM, "email": address, "max_uses": 1})
    Invitation.objects.update(withdrawn_at=timezone.now())

    assert deliver() == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"max_uses": 0}, "max_uses"),
        ({"max_uses": 10_001}, "max_uses"),
        ({"max_uses": "many"}, "max_uses"),
        ({"days": 0}, "days"),
        ({"days": 3651}, "days"),
        ({"email": "nonsense"}, "email"),
        ({"email": "zoe@example.org", "max_uses": 2}, "max_uses"),
        ({"role": 10**6}, "role"),
    ],
)
def test_what_is_amiss_is_told_in_the_form(desk: Client, changed: dict[str, Any], field: str) -> None:
    page = desk.post(ADD, {**FORM, **changed})

    assert page.status_code == 200
    assert list(page.context["adminform"].form.errors) == [field]
    assert not Invitation.objects.exists()


def test_the_most_uses_there_may_be(desk: Client) -> None:
    desk.post(ADD, {**FORM, "max_uses": 10_000})

    assert Invitation.objects.get().max_uses == 10_000


def test_a_superuser_withdraws_one(desk: Client, client: APIClient) -> None:
    invitation = InvitationFactory(code="code")
    spent = InvitationFactory(uses=1)
    selected = {"_selected_action": [invitation.pk, spent.pk], "action": "withdraw"}
    asked = desk.post(LIST, selected)
    assert (asked.status_code, register(client, username="x1", invitation="nope").status_code) == (200, 400)

    desk.post(LIST, {**selected, "confirmed": "yes"})

    assert [one.withdrawn_at is not None for one in Invitation.objects.order_by("pk")] == [True, False]
    assert_problem(register(client, invitation="code"), 400, "Invitation is not valid")


def test_the_list_says_what_each_is(desk: Client) -> None:
    now = timezone.now()
    InvitationFactory(email="zoe@example.org")
    InvitationFactory(uses=1)
    InvitationFactory(expires_at=now)
    InvitationFactory(withdrawn_at=now, max_uses=5, uses=2)

    page = desk.get(LIST).content.decode()

    for text in ("zoe@example.org", "anybody", "Open", "Used up", "Expired", "Withdrawn", "2 of 5"):
        assert text in page


def test_nobody_else_sees_them(moderator: User, clerk: User, alice: User, browser_of: Any) -> None:
    invitation = InvitationFactory()
    for user in (moderator, clerk, alice):
        browser = browser_of(user)
        for path in (LIST, ADD, f"{LIST}{invitation.pk}/change/"):
            assert browser.get(path).status_code in {302, 403}
        assert browser.post(ADD, FORM).status_code in {302, 403}
        action = {"_selected_action": [invitation.pk], "action": "withdraw", "confirmed": "yes"}
        assert browser.post(LIST, action).status_code in {302, 403}

    assert Invitation.objects.live().count() == 1
