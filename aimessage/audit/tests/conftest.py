"""The admin as it is played with here."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User


@pytest.fixture
def desk(browser_of: Callable[[User], Client], superuser: User) -> Client:
    """The admin, with a superuser logged in."""
    return browser_of(superuser)
