"""Compiled queries: the same rows as the queryset's own, whatever the values."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db.models import Case, Exists, OuterRef, Value, When

from accounts.models import User
from aimessage.db.compiled import CompiledInsert, CompiledQuery, CompiledUpdate, Param
from messaging.models import Block
from tests.factories import BlockFactory, UserFactory

pytestmark = pytest.mark.django_db


NAMED = CompiledQuery(lambda: User.objects.filter(username=Param("name")).values_list("pk", "username"))


def test_it_gives_the_rows_of_the_queryset_for_every_value() -> None:
    users = [UserFactory() for _ in range(4)]

    found = [NAMED.rows(name=user.username) for user in users]

    assert found == [[(user.pk, user.username)] for user in users]


def test_it_is_built_once(alice: User) -> None:
    built = []

    def build() -> Any:
        built.append(1)
        return User.objects.filter(pk=Param("user")).values_list("pk")

    query = CompiledQuery(build)

    assert [query.rows(user=alice), query.rows(user=alice.pk), query.rows(user=0)] == [
        *([(alice.pk,)], [(alice.pk,)]),
        [],
    ]
    assert built == [1]


def test_values_are_values_and_no_sql(alice: User) -> None:
    assert [NAMED.rows(name=name) for name in ("' OR 1=1 --", "%s", "%", "alice'", "")] == [[]] * 5


def test_objects_and_times_are_values_too(alice: User, bob: User) -> None:
    query = CompiledQuery(
        lambda: (
            User.objects.exclude(pk=Param("user"))
            .filter(created_at__lt=Param("time"))
            .order_by("pk")
            .values_list("pk", "created_at", "is_active")[:5]
        )
    )
    carol = UserFactory()
    late = datetime(9000, 1, 1, tzinfo=UTC)

    assert query.rows(user=alice, time=late)[0] == (bob.pk, bob.created_at, True)
    assert [pk for pk, *_ in query.rows(user=carol, time=late)] == [alice.pk, bob.pk]
    assert query.rows(user=alice, time=bob.created_at) == []


def test_foreign_keys_subqueries_cases_and_unions_take_them(alice: User, bob: User, carol: User) -> None:
    BlockFactory(blocker=alice, blocked=bob)
    blocked = Block.objects.filter(blocker=Param("user"), blocked=OuterRef("pk"))
    is_own = Case(When(pk=Param("user"), then=Value("own")), default=Value("other"))
    people = User.objects.order_by().annotate(whose=is_own).values_list("username", "whose")
    query = CompiledQuery(
        lambda: people.filter(Exists(blocked)).union(people.filter(pk=Param("user")), all=True)
    )

    assert sorted(query.rows(user=alice)) == [("alice", "own"), ("bob", "other")]
    assert query.rows(user=carol) == [("carol", "own")]


def test_a_constant_beside_the_values_stays(alice: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    active = CompiledQuery(
        lambda: (
            User.objects.filter(is_active=True, username__startswith="%").values_list("pk")
            | User.objects.filter(is_active=True, username=Param("name")).values_list("pk")
        )
    )

    assert [active.rows(name=name) for name in ("alice", "bob")] == [[(alice.pk,)], []]


@pytest.mark.parametrize("values", [{}, {"name": "a", "other": "b"}, {"nme": "a"}])
def test_a_value_that_no_param_takes_is_an_error(values: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="The query takes"):
        NAMED.rows(**values)


def test_code_that_builds_a_query_cannot_look_at_a_param() -> None:
    with pytest.raises(AttributeError):
        CompiledQuery(lambda: Block.objects.filter(blocker=Param("user").pk)).rows(user=1)  # type: ignore[attr-defined]


def test_an_update_changes_those_rows_alone_and_counts_them(alice: User, bob: User) -> None:
    rename = CompiledUpdate(lambda: User.objects.filter(pk=Param("pk")), bio=Param("bio"))

    assert rename.execute(pk=alice.pk, bio="a") == rename.execute(pk=bob.pk, bio="b") == 1
    assert rename.execute(pk=0, bio="c") == 0
    assert list(User.objects.order_by("pk").values_list("bio", flat=True)) == ["a", "b"]


def test_an_insert_makes_the_row_that_a_save_makes(alice: User, bob: User) -> None:
    kept, saved = (Block(blocker=one, blocked=other) for one, other in ((alice, bob), (bob, alice)))

    CompiledInsert(Block).insert(kept)
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
