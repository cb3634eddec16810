"""What the rows of the trail say."""

import pytest
from django.test import Client

from accounts.models import Session, User
from audit.models import Entry
from tests.factories import SessionFactory

USERS = "/admin/accounts/user/"


@pytest.fixture
def desk(superuser: User) -> Client:
    browser = Client(headers={"X-Request-ID": "req-1"})
    browser.force_login(superuser, backend="accounts.backends.AccountBackend")
    return browser


def test_a_row_says_who_did_what_on_whom_from_where_and_what_changed(
    desk: Client, superuser: User, bob: User
) -> None:
    SessionFactory(user=bob)

    desk.post(USERS, {"action": "disable", "_selected_action": [bob.pk]})

    entry = Entry.objects.get()
    assert (entry.actor_id, entry.actor_name) == (superuser.pk, "root")
    assert (entry.act, entry.sentence) == ("user.disabled", "Disabled.")
    assert (entry.target_kind, entry.target_id, entry.target_label) == ("accounts.user", str(bob.pk), "bob")
    assert (entry.address, entry.request_id) == ("127.0.0.1", "req-1")
    assert entry.before == {"is_active": True, "live_sessions": 1}
    assert entry.after == {"is_active": False, "live_sessions": 0}
    assert not Session.objects.live().exists()


def test_a_refused_act_leaves_no_row(desk: Client, superuser: User, bob: User) -> None:
    page = desk.post(USERS, {"action": "disable", "_selected_action": [superuser.pk, bob.pk]}, follow=True)

    assert "You cannot disable yourself" in page.content.decode()
    assert [entry.target_label for entry in Entry.objects.all()] == ["bob"]
