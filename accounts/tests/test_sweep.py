from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import FailedLogin, RefreshToken, Session, User
from aimessage.db.rate_windows import count_request
from aimessage.models import ThrottleWindow
from conftest import ApiClient
from tests.factories import PASSWORD, SessionFactory

pytestmark = pytest.mark.django_db


def days_ago(days: int) -> object:
    return timezone.now() - timedelta(days=days)


@pytest.fixture
def old(alice: User) -> list[Session]:
    """Sessions that ended or ran out, 29 and 31 days ago."""
    sessions: list[Session] = SessionFactory.create_batch(4, user=alice)
    for session, days in zip(sessions, (29, 31, 29, 31), strict=True):
        Session.objects.filter(pk=session.pk).update(last_used_at=days_ago(days))
    Session.objects.filter(pk__in=[one.pk for one in sessions[:2]]).update(is_active=False)
    Session.objects.filter(pk=sessions[2].pk).update(expires_at=days_ago(29))
    Session.objects.filter(pk=sessions[3].pk).update(expires_at=days_ago(31))
    return sessions


def expire_tokens(session: Session) -> None:
    RefreshToken.objects.filter(session=session).update(expires_at=days_ago(1))


def sweep() -> str:
    out = StringIO()
    call_command("sweep", stdout=out)
    return out.getvalue()


def test_the_command_deletes_sessions_a_month_after_their_end(alice: User, old: list[Session]) -> None:
    live = SessionFactory(user=alice)

    assert "2 sessions deleted" in sweep()

    assert set(Session.objects.all()) == {live, old[0], old[2]}


def test_the_command_deletes_expired_refresh_tokens_and_leaves_the_others(
    client: APIClient, as_user: ApiClient, alice: User
) -> None:
    dead, live = as_user(alice), as_user(alice)
    expire_tokens(dead.session_row)

    assert "1 refresh tokens deleted" in sweep()

    assert RefreshToken.objects.get().session == live.session_row
    assert client.post("/auth/refresh", {"refresh_token": live.tokens.refresh_token}).status_code == 200


def test_the_command_deletes_failed_logins_after_a_month(client: APIClient, alice: User) -> None:
    for _ in range(2):
        client.post("/auth/login", {"username": "alice", "password": "wrong-password"})
    first, second = FailedLogin.objects.order_by("pk")
    FailedLogin.objects.filter(pk=first.pk).update(attempt_time=days_ago(31))

    assert "1 failed logins deleted" in sweep()

    assert FailedLogin.objects.get() == second


def test_the_command_deletes_throttle_windows_that_are_over(db: None) -> None:
    count_request("now", seconds=60)
    count_request("then", seconds=-1)

    assert "1 throttle windows deleted" in sweep()

    assert ThrottleWindow.objects.get().key == "now"


def test_a_login_sweeps_behind_its_own_user(
    client: APIClient, as_user: ApiClient, alice: User, bob: User, old: list[Session]
) -> None:
    others = as_user(bob)
    expire_tokens(others.session_row)
    expire_tokens(as_user(alice).session_row)

    assert client.post("/auth/login", {"username": "alice", "password": PASSWORD}).status_code == 200

    assert not Session.objects.filter(pk__in=[old[1].pk, old[3].pk]).exists()
    assert Session.objects.filter(pk__in=[old[0].pk, old[2].pk]).count() == 2
    assert RefreshToken.objects.filter(user=alice).count() == 1
    assert RefreshToken.objects.filter(user=bob).count() == 1
