"""The cast: alice and bob talk, carol is the outsider, mallory means harm; a moderator, a superuser."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import MODERATOR, User
from accounts.services.roles import assign_roles
from accounts.services.sessions import open_session
from accounts.services.tokens import make_token
from channels.settings import Twilio
from tests.assertions import ISSUER, ISSUER_KEY
from tests.factories import UserFactory

pytest_plugins = [
    *("tests.plugins.databases", "tests.plugins.garbage", "tests.plugins.generated"),
    *("tests.plugins.order", "tests.plugins.problems", "tests.plugins.workers"),
]

ApiClient = Callable[..., APIClient]


@pytest.fixture(autouse=True)
def _fast_and_unlimited(settings: Settings) -> None:
    """Tests of hashing or throttles turn them on themselves."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.THROTTLE_RATES = dict.fromkeys(settings.THROTTLE_RATES)


@pytest.fixture
def channels_on(settings: Settings) -> None:
    """Twilio is on; no worker sends anything to it."""
    settings.TWILIO = Twilio(
        account="AC" + "1" * 32,
        tokens={"AC" + "1" * 32: ("token-of-the-account-0123456789",)},
        numbers=("+15005550006", "whatsapp:+15005550006"),
        countries=frozenset({"US", "DE"}),
        inbox="root",
    )


@pytest.fixture
def client() -> APIClient:
    """A client that is not logged in."""
    return APIClient()


@pytest.fixture
def as_user() -> ApiClient:
    """`as_user(alice)` is a client with a session of hers; `.session_row` and `.tokens` hold both."""

    def log_in(user: User, **session: Any) -> APIClient:
        client = APIClient()
        client.session_row, client.tokens = open_session(user, **session)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {client.tokens.access_token}")
        return client

    return log_in


@pytest.fixture
def as_program() -> ApiClient:
    """`as_program(alice, "messages:read")` is a client with a personal token; `.token_row` is its row."""

    def make(user: User, *scopes: str, **token: Any) -> APIClient:
        client = APIClient()
        client.token_row, client.raw_token = make_token(user, name="Backup", scopes=scopes, **token)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {client.raw_token}")
        return client

    return make


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    """`browser_of(alice)` is a browser in which she is logged in to the admin. Its request id is `req-1`."""

    def log_in(user: User) -> Client:
        browser = Client(headers={"X-Request-ID": "req-1"})
        browser.force_login(user, backend="accounts.backends.AccountBackend")
        return browser

    return log_in


@pytest.fixture
def assistant_on(settings: Settings) -> None:
    """There is an assistant, and no worker that answers for it."""
    there = {"on": True, "model": "gpt-x", "url": "http://127.0.0.1:9/v1", "sync_seconds": 0}
    settings.ASSISTANT = replace(settings.ASSISTANT, **there)


@pytest.fixture
def issuer_on(settings: Settings) -> None:
    """The operator's own backend may send its users (tests/assertions.py)."""
    settings.ISSUER, settings.ISSUER_KEY = ISSUER, ISSUER_KEY


@pytest.fixture
def alice(db: None) -> User:
    return UserFactory(username="alice", full_name="Alice Archer")


@pytest.fixture
def bob(db: None) -> User:
    return UserFactory(username="bob", full_name="Bob Baker")


@pytest.fixture
def carol(db: None) -> User:
    return UserFactory(username="carol", full_name="Carol Cooper")


@pytest.fixture
def mallory(db: None) -> User:
    return UserFactory(username="mallory", full_name="Mallory Mason")


@pytest.fixture
def superuser(db: None) -> User:
    return UserFactory(username="root", full_name="Ruth Root", is_superuser=True)


@pytest.fixture
def moderator(superuser: User) -> User:
    user = UserFactory(username="moderator", full_name="Mo Derator")
    assign_roles(user, Group.objects.filter(name=MODERATOR), actor=superuser)
    user.refresh_from_db()
    return user


@pytest.fixture
def clerk(db: None) -> User:
    """Staff without a role."""
    return UserFactory(username="clerk", is_staff=True)
