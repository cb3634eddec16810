"""Tokens from within: what stands in them, until when, and why one is refused."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.utils import timezone
from pytest_django import Settings
from rest_framework_simplejwt.exceptions import TokenBackendError
from time_machine import TimeMachineFixture

from accounts.models import Session, User
from accounts.services.sessions import open_session
from accounts.tokens import InvalidToken, _key_ring, digest, issue_pair, read_access_token, read_refresh_token
from tests.factories import SessionFactory

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def session(alice: User) -> Session:
    return SessionFactory(user=alice)


def payload(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def forged(token: str, settings: Settings, **changed: Any) -> str:
    """`token` with other claims, None for none, and a signature that is right."""
    claims = {name: value for name, value in {**payload(token), **changed}.items() if value is not None}
    return jwt.encode(claims, settings.JWT_KEYS[0], algorithm="HS256")


def test_both_tokens_carry_user_session_and_type(session: Session, settings: Settings) -> None:
    pair = issue_pair(session)

    for token, kind in ((pair.access_token, "access"), (pair.refresh_token, "refresh")):
        claims = payload(token)
        assert set(claims) == {"sub", "username", "sid", "type", "jti", "iat", "exp", "iss", "aud"}
        assert (claims["sub"], claims["username"]) == (str(session.user.pk), "alice")
        assert (claims["sid"], claims["type"]) == (session.session_token, kind)
        assert (claims["iss"], claims["aud"]) == (
            settings.SIMPLE_JWT["ISSUER"],
            settings.SIMPLE_JWT["AUDIENCE"],
        )


def test_they_end_when_they_should_to_the_second(
    session: Session,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    time_machine: TimeMachineFixture,
) -> None:
    time_machine.move_to(NOON, tick=False)
    settings.ACCESS_TOKEN_LIFETIME = timedelta(minutes=7)
    session.expires_at = NOON + timedelta(days=2)
    # As if the process had waited between two looks at the clock.
    later = NOON + timedelta(seconds=30)
    monkeypatch.setattr("rest_framework_simplejwt.tokens.aware_utcnow", lambda: later)

    pair = issue_pair(session)

    assert payload(pair.access_token)["exp"] == (NOON + timedelta(minutes=7)).timestamp()
    assert payload(pair.refresh_token)["exp"] == (NOON + timedelta(days=2)).timestamp()


def test_a_token_that_was_read_before_ends_on_the_second(
    session: Session, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    token = issue_pair(session).access_token
    end = datetime.fromtimestamp(payload(token)["exp"], UTC)
    assert read_access_token(token).session_token == session.session_token

    time_machine.move_to(end - timedelta(seconds=1), tick=False)
    assert read_access_token(token).user_id == session.user.pk
    time_machine.move_to(end, tick=False)
    with pytest.raises(InvalidToken, match=r"^Token is expired$"):
        read_access_token(token)


@pytest.mark.parametrize(
    "changed",
    [{"sid": None}, {"sid": 7}, {"sub": None}, {"sub": "-1"}, {"sub": "7.0"}, {"jti": None}],
)
def test_a_token_without_its_claims_is_none(
    session: Session, settings: Settings, changed: dict[str, Any]
) -> None:
    token = forged(issue_pair(session).access_token, settings, **changed)

    with pytest.raises(InvalidToken, match=r"^Token has claims that are missing or malformed$"):
        read_access_token(token)


def test_neither_kind_passes_for_the_other(session: Session) -> None:
    pair = issue_pair(session)

    assert read_refresh_token(pair.refresh_token) == read_access_token(pair.access_token)
    for read, token in ((read_access_token, pair.refresh_token), (read_refresh_token, pair.access_token)):
        with pytest.raises(InvalidToken, match=r"^Token has wrong type$"):
            read(token)


def test_any_of_the_former_keys_verifies_and_no_other(session: Session, settings: Settings) -> None:
    token = issue_pair(session).access_token
    made_with = settings.JWT_KEYS[0]
    others = [secrets.token_urlsafe(50) for _ in range(3)]

    for keys in ([made_with], [*others[:1], made_with], [*others[:2], made_with, others[2]]):
        ring = _key_ring(tuple(keys))
        assert ring.decode(token)["sid"] == session.session_token
        assert ring.decode(token, verify=True) == ring.decode(token)
    with pytest.raises(TokenBackendError):
        _key_ring(tuple(others)).decode(token)


def test_a_key_that_is_given_up_ends_the_tokens_that_were_read_before(
    session: Session, settings: Settings
) -> None:
    token = issue_pair(session).access_token
    assert read_access_token(token).user_id == session.user.pk

    settings.JWT_KEYS = [secrets.token_urlsafe(50)]

    with pytest.raises(InvalidToken):
        read_access_token(token)


def test_only_a_ring_that_is_told_not_to_verify_reads_what_nobody_signed(
    session: Session, settings: Settings
) -> None:
    settings.JWT_KEYS = [secrets.token_urlsafe(50)]
    foreign = issue_pair(session).access_token
    for count in (1, 2):
        ring = _key_ring(tuple(secrets.token_urlsafe(50) for _ in range(count)))
        with pytest.raises(TokenBackendError):
            ring.decode(foreign)
        assert ring.decode(foreign, verify=False)["sid"] == session.session_token


def test_a_refresh_token_is_kept_as_its_sha_256(alice: User) -> None:
    session, pair = open_session(alice)

    kept = session.refresh_tokens.get()
    assert kept.token == digest(pair.refresh_token)
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert kept.expires_at == session.expires_at > timezone.now()
