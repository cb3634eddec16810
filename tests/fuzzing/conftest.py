"""Whom the generated requests come from, and how many there were."""

from collections.abc import Callable, Iterator

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

Count = Callable[[], None]


@pytest.fixture
def transaction_kept(db: None) -> Iterator[None]:
    """Requests leave the test's connection open, as those of Django's own test client do."""
    signals = [request_started, request_finished]
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Count:
    """`count()` counts a generated request, for the summary."""
    kept, made = request.node.user_properties, 0
    kept.append(("cases", 0))

    def one_more() -> None:
        nonlocal made
        made += 1
        kept[-1] = ("cases", made)

    return one_more
