from typing import Any

import pytest

from accounts.models import User
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient

pytestmark = pytest.mark.django_db


def test_logins_are_told_of_at_first(as_user: ApiClient, alice: User) -> None:
    answer = as_user(alice).get("/auth/preferences")

    assert (answer.status_code, answer.json()) == (200, {"notify_logins": True})


@pytest.mark.parametrize("method", ["put", "patch"])
def test_one_can_change_that(as_user: ApiClient, alice: User, bob: User, method: str) -> None:
    me = as_user(alice)
    for value in (False, True, False):
        answer = getattr(me, method)("/auth/preferences", {"notify_logins": value})
        assert (answer.status_code, answer.json()) == (200, {"notify_logins": value})
        assert me.get("/auth/preferences").json() == {"notify_logins": value}

    assert User.objects.get(pk=alice.pk).notify_logins is False
    assert User.objects.get(pk=bob.pk).notify_logins is True


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("body", [{}, {"is_superuser": True, "email": "x@example.org"}])
def test_what_is_not_sent_stays(as_user: ApiClient, alice: User, method: str, body: dict[str, Any]) -> None:
    User.objects.filter(pk=alice.pk).update(notify_logins=False)
    before = User.objects.values().get(pk=alice.pk)

    answer = getattr(as_user(alice), method)("/auth/preferences", body)

    assert (answer.status_code, answer.json()) == (200, {"notify_logins": False})
    assert User.objects.values().get(pk=alice.pk) | {"last_login": None} == before | {"last_login": None}


@pytest.mark.parametrize("value", [None, "true", "no", 0, 1, [], {}, "", 1.0])
def test_only_true_and_false_will_do(as_user: ApiClient, alice: User, value: Any) -> None:
    problem = assert_problem(as_user(alice).put("/auth/preferences", {"notify_logins": value}), 400)

    assert list(problem["errors"]) == ["notify_logins"]
    assert User.objects.get(pk=alice.pk).notify_logins is True


def test_others_columns_are_left_alone(
    as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = User.save

    def late(self: User, **options: Any) -> None:
        User.objects.update(bio="Changed by another.")
        save(self, **options)

    monkeypatch.setattr(User, "save", late)
    as_user(alice).put("/auth/preferences", {"notify_logins": False})

    alice.refresh_from_db()
    assert (alice.bio, alice.notify_logins) == ("Changed by another.", False)
