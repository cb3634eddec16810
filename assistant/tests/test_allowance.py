"""What is reserved, used and refused in a day."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from accounts.models import User
from accounts.services.users import delete_user
from aimessage.tests.threads import run_together
from assistant.models import Reply, Thread, Usage
from assistant.services.allowance import (
    USED_UP,
    UsedUp,
    daily_notice,
    refuse_used_up,
    release,
    reserve,
    resets_at,
    settle,
    used_by,
)
from assistant.tests.questions import ask
from tests.factories import UserFactory

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def limits(settings: Settings) -> Any:
    def limit(*, user: int, everybody: int = 0) -> None:
        settings.ASSISTANT = replace(
            settings.ASSISTANT,
            tokens_per_day=user,
            tokens_per_day_total=everybody,
            price_in=Decimal("0.50"),
            price_out=Decimal(2),
        )

    return limit


def rows() -> dict[int | None, tuple[int, int, int, int]]:
    columns = ("user_id", "requests", "tokens_in", "tokens_out", "reserved")
    return {row[0]: row[1:] for row in Usage.objects.values_list(*columns)}


def test_reserved_tokens_count_until_the_call_is_settled(limits: Any, question: Reply, alice: User) -> None:
    limits(user=1000)

    reserve(question, 900)
    assert used_by(alice) == used_by(None) == 900
    settle(question, 300, 50)

    assert rows() == {alice.pk: (1, 300, 50, 0), None: (1, 300, 50, 0)}
    question.refresh_from_db()
    assert (question.tokens_in, question.tokens_out, question.reserved) == (300, 50, 0)
    assert question.cost == Decimal("0.000250")
    assert Usage.objects.get(user=alice).cost == Decimal("0.000250")


def test_what_is_left_must_hold_all_of_a_call(limits: Any, question: Reply, alice: User) -> None:
    limits(user=1000)
    reserve(question, 1000)
    settle(question, 600, 0)

    with pytest.raises(UsedUp):
        reserve(question, 401)
    assert used_by(alice) == 600
    reserve(question, 400)


def test_everybodys_allowance_holds_for_each(limits: Any, question: Reply, bob: User) -> None:
    limits(user=1000, everybody=1500)
    reserve(question, 1000)

    with pytest.raises(UsedUp):
        reserve(ask(bob), 501)
    assert (used_by(bob), used_by(None)) == (0, 1000)
    reserve(ask(bob), 500)


def test_zero_is_no_limit(limits: Any, question: Reply, alice: User) -> None:
    limits(user=0)

    reserve(question, 10**9)

    assert used_by(alice) == 10**9


def test_a_call_that_never_was_is_given_back(limits: Any, question: Reply, alice: User) -> None:
    limits(user=1000)
    reserve(question, 800)

    release(question)
    release(question)

    assert rows() == {alice.pk: (0, 0, 0, 0), None: (0, 0, 0, 0)}


def test_the_next_attempt_takes_over_what_a_killed_worker_had_reserved(
    limits: Any, question: Reply, alice: User
) -> None:
    limits(user=1000)
    reserve(question, 800)

    reserve(question, 900)
    assert used_by(alice) == 900
    settle(question, 100, 0)
    # The first worker was alive after all.
    settle(question, 100, 0)

    assert rows()[alice.pk] == (2, 200, 0, 0)


def test_it_starts_anew_at_midnight(limits: Any, question: Reply, alice: User) -> None:  # B40
    limits(user=1000)
    with time_machine.travel(datetime(2026, 11, 28, 23, 59, 59, tzinfo=UTC), tick=False):
        reserve(question, 1000)
        settle(question, 1000, 0)
        with pytest.raises(UsedUp):
            reserve(question, 1)
        assert resets_at() == datetime(2026, 11, 29, tzinfo=UTC)
        assert refuse_used_up().headers == {"Retry-After": "1"}
    with time_machine.travel(datetime(2026, 11, 29, tzinfo=UTC), tick=False):
        assert used_by(alice) == 0
        reserve(question, 1000)


def test_a_call_over_midnight_counts_for_the_day_it_began(limits: Any, question: Reply, alice: User) -> None:
    limits(user=1000)
    with time_machine.travel(NOON, tick=False):
        reserve(question, 500)
    with time_machine.travel(datetime(2026, 11, 29, 1, tzinfo=UTC), tick=False):
        settle(question, 100, 0)

    usage = Usage.objects.get(user=alice)
    assert (usage.day, usage.tokens, usage.reserved) == (date(2026, 11, 28), 100, 0)


def test_an_account_that_is_deleted_during_a_call(
    limits: Any, question: Reply, alice: User, superuser: User
) -> None:
    limits(user=1000)
    reserve(question, 500)
    delete_user(alice, actor=superuser)

    settle(question, 100, 20)

    assert rows() == {None: (1, 100, 20, 0)}
    with pytest.raises(UsedUp):
        reserve(question, 500)


def test_one_notice_a_day(question: Reply, alice: User, bob: User) -> None:
    with time_machine.travel(NOON, tick=False):
        assert [daily_notice(question), daily_notice(ask(alice)), daily_notice(ask(bob))] == [
            USED_UP,
            "",
            USED_UP,
        ]
    with time_machine.travel(datetime(2026, 11, 29, tzinfo=UTC), tick=False):
        assert daily_notice(question) == USED_UP
    assert Thread.objects.count() == 2


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_parallel_questions_cannot_overspend(limits: Any, assistant_on: Any, alice: User) -> None:  # B38
    limits(user=1000, everybody=10_000)
    replies = [ask(alice) for _ in range(20)]

    def try_one(reply: Reply) -> bool:
        try:
            reserve(reply, 150)
        except UsedUp:
            return False
        settle(reply, 100, 40)
        return True

    granted = run_together(*(partial(try_one, reply) for reply in replies))

    assert 6 <= sum(granted) <= 7
    assert rows()[alice.pk] == (sum(granted), 100 * sum(granted), 40 * sum(granted), 0)
    assert rows()[None] == rows()[alice.pk]
    assert used_by(alice) <= 1000


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_many_users_cannot_overspend_together(limits: Any, assistant_on: Any) -> None:
    limits(user=1000, everybody=1000)
    replies = [ask(UserFactory()) for _ in range(20)]

    def try_one(reply: Reply) -> bool:
        try:
            reserve(reply, 200)
        except UsedUp:
            return False
        return True

    granted = run_together(*(partial(try_one, reply) for reply in replies))

    assert sum(granted) == 5
    assert used_by(None) == 1000
    for reply in replies:
        release(reply)
    assert used_by(None) == 0
