"""The admin as it is played with here: root works in it, and ruler is a second superuser."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.services import leaving
from accounts.tests.leaving import Notices
from tests.factories import UserFactory


@pytest.fixture
def desk(browser_of: Callable[[User], Client], superuser: User) -> Client:
    return browser_of(superuser)


@pytest.fixture
def ruler(superuser: User) -> User:
    return UserFactory(username="ruler", is_superuser=True)


@pytest.fixture
def notices(monkeypatch: pytest.MonkeyPatch) -> Notices:
    """Whom the mails go to, and of what they tell."""
    mails: Notices = []

    def notify(user: User, kind: str, **context: Any) -> None:
        mails.append((user.username, kind, context))

    monkeypatch.setattr(leaving, "notify", notify)
    return mails
