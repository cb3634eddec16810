"""Whom POST /auth/exchange lets in, and to which account it links them."""

import pytest
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import ExternalIdentity, UsedAssertion, User
from accounts.services.leaving import request_deletion
from accounts.services.users import disable_user
from accounts.tests.exchanging import exchange
from accounts.tests.factors import enrol
from aimessage.tests.asserts import assert_problem
from tests.assertions import sign_assertion
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("issuer_on")]


def test_without_an_issuer_there_is_no_such_endpoint(client: APIClient, settings: Settings) -> None:
    assertion = sign_assertion()
    settings.ISSUER, settings.ISSUER_KEY = "", None

    for body in ({"assertion": assertion}, {}, {"assertion": 7}):
        assert_problem(client.post("/auth/exchange", body), 404, "Not found")


def test_no_account_is_made_where_the_settings_say_so(client: APIClient, settings: Settings) -> None:
    exchange(client)
    settings.ISSUER_CREATE = False
    UserFactory(email="dora@example.org")

    assert exchange(client).status_code == 200
    for more in ({}, {"email": "dora@example.org", "email_verified": True}):
        answer = exchange(client, sub="4712", **more)
        assert_problem(answer, 403, "No account for this user", code="no_account")
    assert User.objects.count() == 2


def test_a_disabled_account_is_refused_as_at_the_login(client: APIClient, superuser: User) -> None:
    exchange(client)
    disable_user(User.objects.get(username="4711"), actor=superuser)

    answer = exchange(client)

    assert_problem(answer, 403, "User is disabled", code="account_disabled")


def test_an_account_about_to_be_deleted_is_refused_as_at_the_login(client: APIClient) -> None:
    exchange(client)
    request_deletion(User.objects.get(), erases=False)

    assert exchange(client).json()["code"] == "deletion_pending"


def test_who_works_in_the_admin_does_not_come_in_so(
    client: APIClient, superuser: User, settings: Settings
) -> None:
    settings.ISSUER_LINK = True
    exchange(client)
    User.objects.filter(username="4711").update(is_staff=True)
    User.objects.filter(pk=superuser.pk).update(email_verified_at=timezone.now())

    for changed in ({}, {"sub": "root", "email": superuser.email, "email_verified": True}):
        answer = exchange(client, **changed)
        assert_problem(answer, 403, code="forbidden")
    assert ExternalIdentity.objects.count() == 1


@pytest.mark.parametrize("registration", ["closed", "invite"])
def test_who_may_register_does_not_matter(client: APIClient, settings: Settings, registration: str) -> None:
    settings.REGISTRATION, settings.EMAIL_VERIFICATION = registration, "required"

    assert exchange(client, email="dora@example.org").status_code == 200
    assert User.objects.get().email_verified_at is None


def test_no_second_factor_is_asked_for(client: APIClient) -> None:
    exchange(client)
    enrol(User.objects.get())

    assert exchange(client).status_code == 200


@pytest.mark.parametrize("claim", ["sub", "jti", "username", "full_name"])
def test_a_claim_may_have_255_characters(client: APIClient, claim: str) -> None:
    assert exchange(client, **{claim: "é" * 255}).status_code == 200


@pytest.fixture
def dora() -> User:
    return UserFactory(username="dora", email="Dora@example.org", email_verified_at=timezone.now())


def test_a_taken_address_is_refused(client: APIClient, dora: User) -> None:
    for verified in (True, False):
        answer = exchange(client, email="dora@EXAMPLE.org", email_verified=verified)
        assert_problem(answer, 400, "Email already registered")
        assert answer.json()["codes"] == {"email": ["taken"]}
    assert User.objects.count() == 1
    assert UsedAssertion.objects.count() == 0


def test_an_account_is_linked_where_both_sides_verified_the_address(
    client: APIClient, settings: Settings, dora: User
) -> None:
    settings.ISSUER_LINK = True

    answer = exchange(client, email="dora@EXAMPLE.org", email_verified=True, full_name="Other")

    assert answer.json()["user"]["id"] == dora.pk
    assert exchange(client).json()["user"]["id"] == dora.pk
    dora.refresh_from_db()
    assert dora.has_usable_password()
    assert dora.full_name == "Dora Example"


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("theirs", [True, False])
def test_none_is_linked_where_one_side_did_not(
    client: APIClient, settings: Settings, dora: User, ours: bool, theirs: bool
) -> None:
    settings.ISSUER_LINK = True
    if not ours:
        User.objects.update(email_verified_at=None)

    answer = exchange(client, email="dora@example.org", email_verified=theirs)

    assert answer.status_code == (200 if ours and theirs else 400)


def test_an_account_is_linked_to_one_user_of_an_issuer(
    client: APIClient, settings: Settings, dora: User
) -> None:
    settings.ISSUER_LINK = True
    mail = {"email": "dora@example.org", "email_verified": True}
    exchange(client, **mail)

    assert_problem(exchange(client, sub="4712", **mail), 400, "Email already registered")
    assert ExternalIdentity.objects.get().subject == "4711"


def test_neither_the_disabled_nor_bots_are_linked(
    client: APIClient, settings: Settings, dora: User, superuser: User
) -> None:
    settings.ISSUER_LINK = True
    mail = {"email": "dora@example.org", "email_verified": True}
    disable_user(dora, actor=superuser)
    assert exchange(client, **mail).json()["code"] == "account_disabled"
    User.objects.filter(pk=dora.pk).update(is_active=True, kind="bot")
    assert_problem(exchange(client, **mail), 400, "Email already registered")
    assert ExternalIdentity.objects.count() == 0


def test_links_need_no_permission_to_create(client: APIClient, settings: Settings, dora: User) -> None:
    settings.ISSUER_LINK, settings.ISSUER_CREATE = True, False

    assert exchange(client, email="dora@example.org", email_verified=True).status_code == 200
