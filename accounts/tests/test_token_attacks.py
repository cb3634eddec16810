"""Forged, edited and stolen tokens, at every place that takes one.

The process has verified the good token just before them, so that what it remembers of that one is seen to
let no worse one through.
"""

import socket
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest
from django.apps import apps
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import RefreshToken, Session, User
from accounts.services.users import disable_user
from accounts.tests.forgery import Good, attacks
from accounts.tokens import digest
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import MessageFactory, SessionFactory, UserFactory
from tests.routes import undone

ATTACKS = attacks()
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither `jku` nor `x5u` is followed. The database's own connection is none of Python's sockets."""

    def refuse(*args: Any) -> NoReturn:
        raise AssertionError("a token made the server open a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def elsewhere(alice: User, bob: User, superuser: User) -> dict[str, dict[str, Any]]:
    """Claims of sessions and users that a forger might name, by what is wrong with them."""
    gone, shut = UserFactory(), UserFactory()
    ended = SessionFactory(user=alice, is_active=False)
    old = SessionFactory(user=alice, expires_at=timezone.now() - timedelta(seconds=1))
    shut_in, gone_in = SessionFactory(user=shut), SessionFactory(user=gone)
    disable_user(shut, actor=superuser)
    # As one left alive would be, had the disabling missed it.
    Session.objects.filter(pk=shut_in.pk).update(is_active=True)
    gone_id = gone.pk
    gone.delete()
    return {
        "another's session": {"sid": SessionFactory(user=bob).session_token},
        "another user": {"sub": str(bob.pk), "username": "bob"},
        "a disabled user": {"sub": str(shut.pk), "sid": shut_in.session_token},
        "a deleted user": {"sub": str(gone_id), "sid": gone_in.session_token},
        "nobody": {"sub": str(2**62)},
        "an ended session": {"sid": ended.session_token},
        "an expired session": {"sid": old.session_token},
        "no session": {"sid": "0" * 63 + "f"},
    }


def rows() -> dict[str, list[Any]]:
    return {
        model.__name__: list(model._default_manager.order_by("pk").values_list())
        for name in ("accounts", "messaging", "reports", "audit")
        for model in apps.get_app_config(name).get_models()
        if not model._meta.proxy
    }


def hand_out(text: str, session: Session) -> None:
    """Remembers `text` as a refresh token of `session`."""
    RefreshToken.objects.create(
        user=session.user, session=session, token=digest(text), expires_at=session.expires_at
    )


def as_header(token: str) -> str:
    """As WSGI hands over a header: its bytes, each for a character."""
    return f"Bearer {token}".encode().decode("latin-1")


def test_there_are_so_many_attacks() -> None:
    assert sum(map(len, ATTACKS.values())) >= 450


def test_what_the_attacks_are_made_with_makes_good_tokens_too(
    client: APIClient, as_user: ApiClient, alice: User
) -> None:
    """Otherwise each would be refused for being made badly."""
    mine = as_user(alice)
    pair = mine.tokens
    good, fresh = Good(pair.access_token, {}, ""), Good(pair.refresh_token, {}, "")

    for text in (good.sign(), good.having(more=1), good.spelled("sub", f'"{alice.pk}"'), good.sign(kid="x")):
        assert text != good.token
        assert client.get("/auth/me", HTTP_AUTHORIZATION=as_header(text)).status_code == 200
    for text in (fresh.sign(), fresh.having(more=1)):
        hand_out(text, mine.session_row)
        assert client.post("/auth/refresh", {"refresh_token": text}).status_code == 200


@pytest.mark.parametrize("group", ATTACKS)
def test_none_opens_anything_as_an_access_token(
    client: APIClient,
    as_user: ApiClient,
    alice: User,
    bob: User,
    elsewhere: dict[str, dict[str, Any]],
    group: str,
) -> None:
    pair = as_user(alice).tokens
    message = MessageFactory(sender=alice, recipient=bob)
    good = Good(pair.access_token, elsewhere, pair.refresh_token)
    requests = [
        ("get", "/auth/me", None),
        ("get", f"/messages/{message.pk}", None),
        ("put", "/auth/me", {"bio": "owned"}),
        ("post", "/messages", {"recipient_id": bob.pk, "content": "owned"}),
        ("delete", f"/messages/{message.pk}", None),
        ("post", "/auth/logout-all", {}),
    ]
    assert client.get("/auth/me", HTTP_AUTHORIZATION=as_header(good.token)).status_code == 200
    before = rows()

    for name, attack in ATTACKS[group].items():
        header = as_header(attack(good))
        for method, path, body in requests:
            answer = getattr(client, method)(path, body, HTTP_AUTHORIZATION=header)
            assert answer.status_code == 401, name
            assert_problem(answer, 401)
            assert answer.headers["Cache-Control"] == "no-store"

    assert rows() == before
    assert client.get("/auth/me", HTTP_AUTHORIZATION=as_header(good.token)).status_code == 200


@pytest.mark.parametrize("group", ATTACKS)
def test_none_is_traded_as_a_refresh_token(
    client: APIClient, as_user: ApiClient, alice: User, elsewhere: dict[str, dict[str, Any]], group: str
) -> None:
    mine = as_user(alice)
    good = Good(mine.tokens.refresh_token, elsewhere, mine.tokens.access_token)
    forged = {name: attack(good) for name, attack in ATTACKS[group].items()}
    # As if they had been handed out: nothing but its own text is left to refuse one by.
    for text in set(forged.values()):
        hand_out(text, mine.session_row)
    with undone():
        assert client.post("/auth/refresh", {"refresh_token": good.token}).status_code == 200
    before = rows()

    for name, text in forged.items():
        answer = client.post("/auth/refresh", {"refresh_token": text})
        refused = 400 if "\0" in text else 401  # the one is no JSON text that a body may hold
        assert answer.status_code == refused, name
        assert_problem(answer, refused)

    assert rows() == before
    assert client.post("/auth/refresh", {"refresh_token": good.token}).status_code == 200


@pytest.mark.parametrize("group", ATTACKS)
def test_none_ends_a_session_at_logout(
    as_user: ApiClient, alice: User, elsewhere: dict[str, dict[str, Any]], group: str
) -> None:
    phone, laptop = as_user(alice), as_user(alice)
    good = Good(laptop.tokens.refresh_token, elsewhere, laptop.tokens.access_token)
    before = rows()
    with undone():
        assert phone.post("/auth/logout").status_code == 200
        without_any = live_sessions()

    for name, attack in ATTACKS[group].items():
        text = attack(good)
        with undone():
            answer = phone.post("/auth/logout", {"refresh_token": text})
            assert answer.status_code == (400 if "\0" in text else 200), name
            assert answer.status_code == 400 or live_sessions() == without_any, name

    assert rows() == before
    assert laptop.session_row.pk in without_any


def live_sessions() -> set[int]:
    return set(Session.objects.live().values_list("pk", flat=True))


def test_what_was_verified_once_is_verified_anew_under_other_keys(
    client: APIClient, as_user: ApiClient, alice: User, settings: Settings
) -> None:
    header = as_header(as_user(alice).tokens.access_token)
    mine, other = settings.JWT_KEYS[0], "another key of at least thirty-two characters"

    for keys, status in [([mine], 200), ([other], 401), ([other, mine], 200), ([mine, other], 200)] * 2:
        settings.JWT_KEYS = keys
        assert client.get("/auth/me", HTTP_AUTHORIZATION=header).status_code == status


def test_what_was_verified_once_expires_all_the_same(
    client: APIClient, as_user: ApiClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    header = as_header(as_user(alice).tokens.access_token)

    for minutes, status in [(0, 200), (29, 200), (30, 401), (31, 401), (29, 200)]:
        time_machine.move_to(NOON + timedelta(minutes=minutes))
        assert client.get("/auth/me", HTTP_AUTHORIZATION=header).status_code == status


def test_what_was_verified_once_is_of_no_use_without_its_session(
    client: APIClient, as_user: ApiClient, alice: User
) -> None:
    mine = as_user(alice)
    header = as_header(mine.tokens.access_token)
    rows_of_it = Session.objects.filter(pk=mine.session_row.pk)

    for is_active, status in [(True, 200), (False, 401), (True, 200), (False, 401)]:
        rows_of_it.update(is_active=is_active)
        assert client.get("/auth/me", HTTP_AUTHORIZATION=header).status_code == status


def test_nothing_that_the_database_holds_is_of_use_as_a_token(
    client: APIClient, as_user: ApiClient, alice: User
) -> None:
    pair = as_user(alice).tokens
    held = {value for table in rows().values() for row in table for value in row if isinstance(value, str)}

    assert digest(pair.refresh_token) in held
    assert not [text for text in held for token in vars(pair).values() if token in text]
    for text in filter(None, held):
        assert_problem(client.get("/auth/me", HTTP_AUTHORIZATION=as_header(text)), 401)
        assert_problem(client.post("/auth/refresh", {"refresh_token": text}), 401)
