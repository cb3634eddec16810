"""Which users and sessions a question means."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import querysets
from accounts.models import Session, User
from accounts.querysets import NAMES_SEARCHED, UserQuerySet
from tests.factories import SessionFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_ids_are_of_those_whose_name_begins_so(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    alison = UserFactory(username="Alison")
    users: UserQuerySet = User.objects.all()

    assert sorted(users.ids_named("ALI")) == [alice.pk, alison.pk]
    assert users.ids_named("b") == [bob.pk]
    monkeypatch.setattr(querysets, "NAMES_SEARCHED", 1)
    assert len(users.ids_named("ALI")) == 1


def test_no_more_than_a_thousand_names_are_searched(db: None) -> None:
    numbers = range(NAMES_SEARCHED + 5)
    User.objects.bulk_create(
        User(username=f"many{n}", username_key=f"many{n}", email=f"{n}@e.org", email_key=f"{n}@e.org")
        for n in numbers
    )

    assert len(User.objects.ids_named("many")) == NAMES_SEARCHED == 1000


def test_a_number_means_no_word_of_a_name(alice: User) -> None:
    numbered = UserFactory(username="numbered", phone_number="+4915112345678")
    UserFactory(username="agent", full_name="Agent 4915112345678")

    assert set(User.objects.found_by("4915112345678")) == {numbered}
    assert set(User.objects.found_by("agent")) == {User.objects.get(username="agent")}


@pytest.mark.parametrize("name", ["", None])
def test_no_name_finds_nobody(db: None, name: str | None) -> None:
    UserFactory(username="xxxx")

    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key(name)
    assert User.objects.get_by_natural_key("XXXX").username == "xxxx"


def test_a_session_that_rests_is_not_dead(alice: User) -> None:
    month, now = timedelta(days=30), timezone.now()
    resting, ended, over, lately = (SessionFactory(user=alice) for _ in range(4))
    rows = Session.objects.filter
    rows(pk=resting.pk).update(last_used_at=now - 2 * month)
    rows(pk=ended.pk).update(last_used_at=now - 2 * month, is_active=False)
    rows(pk=over.pk).update(expires_at=now - 2 * month)
    rows(pk=lately.pk).update(is_active=False)

    assert set(Session.objects.dead_for(month)) == {ended, over}


def test_a_session_is_live_until_it_is_over(alice: User) -> None:
    live, ended, over = (SessionFactory(user=alice) for _ in range(3))
    now = timezone.now()
    Session.objects.filter(pk=ended.pk).update(is_active=False)
    Session.objects.filter(pk=over.pk).update(expires_at=now)

    assert set(Session.objects.live(now)) == {live}
    assert set(Session.objects.live()) == {live}
    assert set(Session.objects.live(now - timedelta(seconds=1))) == {live, over}
