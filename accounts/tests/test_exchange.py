"""POST /auth/exchange: users of the operator's own backend."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import ExternalIdentity, Session, UsedAssertion, User
from accounts.services import exchange as service
from accounts.services.exchange import sweep
from accounts.services.leaving import request_deletion
from accounts.tests.exchanging import assert_refused, exchange
from aimessage.mail.models import Mail
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.assertions import ISSUER, sign_assertion
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("issuer_on")]


def test_the_first_time_an_account_is_made(client: APIClient) -> None:
    answer = exchange(
        client,
        username="dora",
        email="Dora@Example.org",
        email_verified=True,
        full_name="Dora \u202eDale",
        aud=["other", "aimessage"],
    )

    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "refresh_token", "token_type", "user"}
    user = User.objects.get()
    assert answer.json()["user"]["id"] == user.pk
    assert (user.username, user.email, user.full_name) == ("dora", "Dora@example.org", "Dora Dale")
    assert user.email_verified_at is not None
    assert not user.has_usable_password()
    assert ExternalIdentity.objects.filter(issuer=ISSUER, subject="4711", user=user).exists()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access_token']}")
    assert client.get("/auth/me").json()["username"] == "dora"
    assert client.post("/auth/login", {"username": "dora", "password": "!"}).status_code == 401


def test_the_next_time_it_is_the_same_account(client: APIClient) -> None:
    first = exchange(client, username="dora", email="dora@example.org")
    second = exchange(client, username="dorothy", email="other@example.org", full_name="Other")

    assert first.json()["user"] == second.json()["user"]
    assert User.objects.count() == 1
    assert Session.objects.count() == 2


def test_the_session_is_that_of_the_device(client: APIClient) -> None:
    client.post(
        "/auth/exchange", {"assertion": sign_assertion()}, HTTP_USER_AGENT="Phone", REMOTE_ADDR="192.0.2.9"
    )

    session = Session.objects.get()
    assert (session.device_info, session.ip_address) == ("Phone", "192.0.2.9")


@pytest.mark.parametrize(
    "more", [{}, {"email": ""}, {"email_verified": True}, {"full_name": "", "username": ""}]
)
def test_without_an_address_there_is_none_that_works(client: APIClient, more: dict[str, Any]) -> None:
    exchange(client, **more)
    exchange(client, sub="4712", **more)

    for user in User.objects.all():
        assert user.email.endswith("@users.invalid")
        assert user.email_verified_at is None
        assert user.full_name is None


@pytest.mark.parametrize("verified", [{}, {"email_verified": False}])
def test_an_address_counts_as_verified_only_where_the_issuer_says_so(
    client: APIClient, verified: dict[str, Any]
) -> None:
    exchange(client, email="dora@example.org", **verified)

    assert User.objects.get(email="dora@example.org").email_verified_at is None


@pytest.mark.parametrize(
    ("wanted", "username"),
    [
        ("dora", "dora"),
        ("_dora_", "_dora_"),
        ("dora@example.org", "dora@example.org"),
        ("auth0|5f7c 8ec7", "auth0_5f7c_8ec7"),
        ("Dora Dale", "Dora_Dale"),
        ("नमस्ते", "नमस्ते"),
        ("ﬁona", "fiona"),
        ("do\u200bra", "do_ra"),
        ("doraд", "dora"),
        ("дora!", "ora"),
        ("x" * 255, "x" * 100),
        ("\ufdfa" * 255, ("صلى_الله_عليه_وسلم" * 20)[:100].strip("_")),
        ("???", "user"),
        ("admin", "user"),
        ("ROOT", "user"),
        (" ", "user"),
    ],
)
def test_a_username_is_made_valid(client: APIClient, wanted: str, username: str) -> None:
    assert exchange(client, username=wanted).json()["user"]["username"] == username
    assert exchange(client, sub=wanted).json()["user"]["username"] != username


def test_the_subject_is_the_username_where_none_is_given(client: APIClient) -> None:
    assert exchange(client, sub="user:42").json()["user"]["username"] == "user_42"


def test_a_taken_name_gets_a_number_and_then_a_random_end(client: APIClient) -> None:
    UserFactory(username="DORA")

    names = [
        exchange(client, sub=str(number), username="dora").json()["user"]["username"] for number in range(6)
    ]

    assert names[:4] == ["dora-2", "dora-3", "dora-4", "dora-5"]
    assert len({*names}) == 6
    assert all(len(name) == len("dora-") + 8 for name in names[4:])


def test_a_long_name_that_is_taken_stays_within_bounds(client: APIClient) -> None:
    names = [exchange(client, sub=f"{'y' * 200}{number}").json()["user"]["username"] for number in range(7)]

    assert len({*names}) == 7
    assert max(map(len, names)) == 100


def test_it_gives_up_where_every_name_is_taken(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    UserFactory(username="dora")
    monkeypatch.setattr(service, "_candidate_names", lambda wanted: iter(["dora"] * 20))

    assert exchange(client, username="dora").status_code == 409
    assert UsedAssertion.objects.count() == 0


def test_an_assertion_works_once(client: APIClient) -> None:
    assertion = sign_assertion()

    assert exchange(client, assertion).status_code == 200
    assert_refused(client, assertion)
    jti = jwt.decode(assertion, options={"verify_signature": False})["jti"]
    assert_refused(client, sign_assertion(sub="other", jti=jti))


def test_another_issuers_jti_is_another(client: APIClient, settings: Settings) -> None:
    exchange(client, jti="1")
    settings.ISSUER = "https://new.example.org"

    assert exchange(client, jti="1", iss=settings.ISSUER).status_code == 200
    assert User.objects.count() == 2  # and so is its subject


def test_what_was_used_is_remembered_until_it_has_expired(client: APIClient, time_machine: Any) -> None:
    now = timezone.now()
    time_machine.move_to(now, tick=False)
    exchange(client)

    time_machine.move_to(now + timedelta(seconds=119), tick=False)
    assert sweep() == {"used assertions": 0}
    time_machine.move_to(now + timedelta(seconds=121), tick=False)
    assert sweep(dry_run=True) == sweep() == {"used assertions": 1}
    assert sweep() == {"used assertions": 0}


def test_an_account_that_was_deleted_is_made_anew(client: APIClient) -> None:
    first = exchange(client).json()["user"]["id"]
    User.objects.get().delete()

    assert exchange(client).json()["user"]["id"] != first


def test_exchanges_count_as_logins(client: APIClient, settings: Settings) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "login": (2, 60)}

    assert [exchange(client, sub=str(number)).status_code for number in range(3)] == [200, 200, 429]


def test_who_has_no_password_proves_it_with_a_fresh_session(
    client: APIClient, as_user: ApiClient, time_machine: Any
) -> None:
    start = timezone.now()
    time_machine.move_to(start, tick=False)
    tokens = exchange(client).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access_token']}")
    time_machine.move_to(start + timedelta(minutes=10), tick=False)
    assert client.post("/auth/me/export", {}).status_code == 200
    time_machine.move_to(start + timedelta(minutes=10, seconds=1), tick=False)

    answer = client.post("/auth/me/delete", {"current_password": ""})

    assert_problem(answer, 403, "Log in again first", code="session_required")
    assert User.objects.get(username="4711").is_active


def test_who_has_no_address_is_written_to_nowhere(client: APIClient, settings: Settings) -> None:
    exchange(client)
    request_deletion(User.objects.get(), erases=False)
    settings.DELETION_DELAY = timedelta(0)
    exchange(client, sub="4712")
    request_deletion(User.objects.get(username="4712"), erases=False)

    assert not Mail.objects.exists()


def test_an_address_of_an_own_user_is_not_written_to_for_verification(client: APIClient) -> None:
    """The issuer vouches, or does not: nobody asked for a mail."""
    exchange(client, email="dora@example.org")

    assert not Mail.objects.exists()
