"""What happens to accounts and sessions, as events."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import User
from accounts.services.users import delete_user, disable_user, enable_user, grant_superuser
from aimessage.events.models import Event
from conftest import ApiClient
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def session_events(user: User) -> list[tuple[int, str]]:
    rows = Event.objects.filter(user_id=user.pk, kind="session.ended").order_by("pk")
    return [(row.data["session_id"], row.data["reason"]) for row in rows]


def webhook_kinds(user: User) -> list[str]:
    rows = Event.objects.filter(user_id=None).order_by("pk")
    return [row.kind for row in rows if row.data == {"user_id": user.pk}]


def test_a_logout_is_an_event_once(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    for _ in range(2):
        client.post("/auth/logout")
    assert session_events(alice) == [(client.session_row.pk, "logout")]


def test_each_way_to_end_sessions_says_why(as_user: ApiClient, alice: User, superuser: User) -> None:
    def ended(act: Any) -> list[str]:
        Event.objects.all().delete()
        as_user(alice)
        act(as_user(alice))
        return sorted(reason for _, reason in session_events(alice))

    passwords = {"current_password": PASSWORD, "new_password": "amber-kettle-77"}
    assert ended(lambda client: client.post("/auth/logout-all")) == ["logout_all"] * 2
    assert ended(lambda client: client.put("/auth/me/password", passwords)) == ["password_changed"]
    alice.refresh_from_db()
    client = as_user(alice)
    Event.objects.all().delete()
    client.delete(f"/auth/sessions/{client.session_row.pk}")
    assert session_events(alice) == [(client.session_row.pk, "deleted")]
    assert set(ended(lambda client: disable_user(alice, actor=superuser))) == {"disabled"}


def test_a_token_used_again_ends_its_session_and_says_so(
    client: Any, as_user: ApiClient, alice: User, settings: Settings
) -> None:
    settings.REUSE_LEEWAY = timedelta(0)
    stolen = as_user(alice)
    for _ in range(2):
        client.post("/auth/refresh", {"refresh_token": stolen.tokens.refresh_token})

    assert session_events(alice) == [(stolen.session_row.pk, "reused")]


def test_a_session_ended_in_the_admin_says_so(
    as_user: ApiClient, alice: User, superuser: User, browser_of: Any
) -> None:
    pk = as_user(alice).session_row.pk
    act = {"action": "end", "confirmed": "yes", "_selected_action": [pk]}
    browser_of(superuser).post("/admin/accounts/session/", act)

    assert session_events(alice) == [(pk, "admin")]


def test_accounts_tell_webhooks_alone(client: Any, as_user: ApiClient, superuser: User) -> None:
    body = {"username": "dora", "email": "dora@example.org", "password": PASSWORD}
    client.post("/auth/register", body)
    dora = User.objects.get(username="dora")
    pk = dora.pk
    as_user(dora).put("/auth/me", {"bio": "Hello"})
    as_user(dora).put("/auth/me", {})
    disable_user(dora, actor=superuser)
    enable_user(dora, actor=superuser)
    grant_superuser(dora, actor=superuser)
    delete_user(dora, actor=superuser)

    changed = ["user.updated"] * 2
    dora.pk = pk
    assert webhook_kinds(dora) == ["user.created", "user.updated", "user.disabled", *changed, "user.deleted"]
