"""The admin as it is played with here: root works in it, and ruler is a second superuser."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from tests.factories import UserFactory


@pytest.fixture
def desk(browser_of: Callable[[User], Client], superuser: User) -> Client:
    return browser_of(superuser)


@pytest.fixture
def ruler(superuser: User) -> User:
    return UserFactory(username="ruler", is_superuser=True)
