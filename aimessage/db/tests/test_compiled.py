"""Compiled queries: the same rows as the queryset's own, whatever the values."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import User
from aimessage.db.compiled import Prepared, PreparedInsert, PreparedUpdate
from messaging.models import Block
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def test_it_gives_the_rows_of_the_queryset_for_every_value() -> None:
    users = [UserFactory() for _ in range(4)]
    named = Prepared(lambda name: User.objects.filter(username=name).values_list("pk", "username"))

    assert [named.rows(user.username) for user in users] == [[(user.pk, user.username)] for user in users]
    assert len(named.statements) == 1


def test_values_are_values_and_no_sql(alice: User) -> None:
    named = Prepared(lambda name: User.objects.filter(username=name).values_list("pk"))

    assert [named.rows(name) for name in ("' OR 1=1 --", "%s", "%", "\ue000", "")] == [[]] * 5


def test_objects_times_and_limits_are_arguments_too(alice: User, bob: User) -> None:
    def older(user: User, time: datetime, stop: int) -> Any:
        others = User.objects.exclude(pk=user.pk).filter(created_at__lt=time)
        return others.order_by("pk").values_list("pk", "created_at", "is_active")[:stop]

    prepared = Prepared(older)
    carol = UserFactory()
    late = datetime(9000, 1, 1, tzinfo=UTC)

    row = (bob.pk, bob.created_at, True)
    assert prepared.rows(alice, late, 1) == [row]
    assert [pk for pk, *_ in prepared.rows(alice, late, 5)] == [bob.pk, carol.pk]
    assert [pk for pk, *_ in prepared.rows(carol, late, 5)] == [alice.pk, bob.pk]
    assert prepared.rows(alice, bob.created_at, 5) == []


def test_a_constant_beside_the_arguments_stays(alice: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    active = Prepared(
        lambda name: (
            User.objects.filter(is_active=True, username__startswith="%").values_list("pk")
            | User.objects.filter(is_active=True, username=name).values_list("pk")
        )
    )

    assert [active.rows(name) for name in ("alice", "bob")] == [[(alice.pk,)], []]


def test_a_keyword_makes_a_statement_of_its_own(alice: User, bob: User) -> None:
    ordered = Prepared(
        lambda stop, order: (
            User.objects.filter(username__in=["alice", "bob"]).order_by(order).values_list("username")[:stop]
        )
    )

    assert ordered.rows(1, order="pk") == [("alice",)]
    assert ordered.rows(1, order="-pk") == [("bob",)]


@pytest.mark.parametrize(
    "build",
    [
        lambda name, other: User.objects.filter(username=name).values_list("pk"),
        lambda name, other: User.objects.filter(username=name + other).values_list("pk"),
    ],
    ids=["unused", "looked at"],
)
def test_an_argument_that_does_not_arrive_is_an_error(build: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="makes no use of argument"):
        Prepared(build).rows("a", "b")


def test_an_update_changes_those_rows_alone_and_counts_them(alice: User, bob: User) -> None:
    rename = PreparedUpdate(lambda pk, bio: User.objects.filter(pk=pk), lambda pk, bio: {"bio": bio})

    assert [rename.execute(alice.pk, "a"), rename.execute(bob.pk, "b"), rename.execute(0, "c")] == [1, 1, 0]
    assert list(User.objects.order_by("pk").values_list("bio", flat=True)) == ["a", "b"]


def test_an_insert_makes_the_row_that_a_save_makes(alice: User, bob: User) -> None:
    kept, saved = (Block(blocker=one, blocked=other) for one, other in ((alice, bob), (bob, alice)))

    PreparedInsert(Block).insert(kept)
    saved.save(force_insert=True)

    rows = list(Block.objects.order_by("pk").values())
    assert [row["id"] for row in rows] == [kept.pk, saved.pk]
    assert [(row["blocker_id"], row["blocked_id"]) for row in rows] == [
        (alice.pk, bob.pk),
        (bob.pk, alice.pk),
    ]
    assert [row["created_at"] for row in rows] == [row["updated_at"] for row in rows]
    assert [row["created_at"] for row in rows] == [kept.created_at, saved.created_at]
    # It is a row from then on.
    assert (kept._state.adding, kept._state.db) == (False, "default")
    kept.save(update_fields=["updated_at"])
    assert Block.objects.count() == 2
