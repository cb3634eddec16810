"""The admin as it is played with here: bob insulted alice, who reported it."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from messaging.models import Message
from reports.models import Report
from reports.services import file_report
from tests.factories import MessageFactory


@pytest.fixture
def desk(browser_of: Callable[[User], Client], moderator: User) -> Client:
    return browser_of(moderator)


@pytest.fixture
def insult(alice: User, bob: User) -> Message:
    return MessageFactory(sender=bob, recipient=alice, content="You are a fool.")


@pytest.fixture
def report(alice: User, insult: Message) -> Report:
    return file_report(alice, title="Insults", content="Make him stop.", message_id=insult.pk)[0]
