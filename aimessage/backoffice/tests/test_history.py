"""An object's history, and one's own recent acts, are rows of the trail."""

from collections.abc import Callable

import pytest
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Permission
from django.test import Client, RequestFactory

from accounts.models import User
from aimessage.audit.models import Entry
from aimessage.audit.tests.trails import trail
from aimessage.backoffice.site import AuditedSite
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
USERS = "/admin/accounts/user/"

Browsers = Callable[[User], Client]


def test_the_history_outlives_who_made_it(browser_of: Browsers, desk: Client, bob: User) -> None:
    ruler = UserFactory(username="ruler", is_superuser=True)
    browser_of(ruler).post(USERS, {"action": "disable", "_selected_action": [bob.pk], "confirmed": "yes"})
    pk = ruler.pk
    desk.post(f"{USERS}{pk}/delete/", {"post": "yes"})

    page = desk.get(f"{USERS}{bob.pk}/history/").content.decode()

    assert not User.objects.filter(username="ruler").exists()
    assert f"<td>Deleted user {pk}</td>" in page
    assert "<td>Disabled.</td>" in page


def test_the_history_outlives_what_it_is_about(desk: Client, bob: User) -> None:
    pk = bob.pk
    desk.post(f"{USERS}{pk}/delete/", {"post": "yes"})

    page = desk.get(f"{USERS}{pk}/history/").content.decode()

    assert f"History: Deleted user {pk}" in page
    assert "This user is deleted." in page
    assert "<td>Deleted.</td>" in page


def test_the_history_of_what_never_was(desk: Client, bob: User) -> None:
    answer = desk.get(f"{USERS}999/history/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    for absurd in ("x", "9" * 30):
        assert desk.get(f"{USERS}{absurd}/history/").status_code == 302
    assert "Nothing was done to it" in desk.get(f"{USERS}{bob.pk}/history/").content.decode()


def test_a_history_has_pages(desk: Client, bob: User) -> None:
    trail(101, target_id=str(bob.pk))
    trail(5, target_id=str(bob.pk), target_kind="reports.report")

    first = desk.get(f"{USERS}{bob.pk}/history/").content.decode()
    second = desk.get(f"{USERS}{bob.pk}/history/?p=2").content.decode()

    assert (first.count("<td>Disabled.</td>"), second.count("<td>Disabled.</td>")) == (100, 1)
    assert "101 entries" in first


def test_only_who_may_see_the_trail_is_led_there(browser_of: Browsers, desk: Client, bob: User) -> None:
    looker = UserFactory(username="looker", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_user"))
    trail(1, target_id=str(bob.pk), address="10.9.8.7")

    page = browser_of(looker).get(f"{USERS}{bob.pk}/history/").content.decode()

    assert "<td>Disabled.</td>" in page
    for hidden in ("/admin/audit/", "10.9.8.7"):
        assert hidden not in page
    assert "/admin/audit/entry/1/change/" in desk.get(f"{USERS}{bob.pk}/history/").content.decode()


def test_the_history_of_users_is_not_for_moderators(browser_of: Browsers, moderator: User, bob: User) -> None:
    assert browser_of(moderator).get(f"{USERS}{bob.pk}/history/").status_code == 403
    assert browser_of(moderator).get(f"{USERS}999/history/").status_code == 403


def test_the_home_page_shows_ones_own_acts(
    browser_of: Browsers, desk: Client, superuser: User, moderator: User, bob: User
) -> None:
    desk.post(USERS, {"action": "disable", "_selected_action": [bob.pk], "confirmed": "yes"})
    trail(1, actor_id=superuser.pk, act="user.deleted", target_id="999")
    trail(1, actor_id=superuser.pk, act="admin.login", target_kind="", target_label="", sentence="Logged in.")

    entries = list(desk.get("/admin/").context["log_entries"])
    page = desk.get("/admin/").content.decode()

    assert [entry.pk for entry in entries] == [2, 1]
    assert f'<a href="{USERS}{bob.pk}/change/">bob</a>' in page
    assert "Deleted user 999" in page
    assert f"{USERS}999/change/" not in page
    assert "Nothing yet." in browser_of(moderator).get("/admin/").content.decode()


def test_what_a_page_of_another_library_does_is_a_row(superuser: User) -> None:
    site = AuditedSite()
    site.register(User, ModelAdmin)
    page = site.get_model_admin(User)
    request = RequestFactory().get("/")
    request.user = superuser

    page.log_change(request, superuser, [{"changed": {"fields": ["Bio"]}}])

    assert Entry.objects.get().sentence == "Changed Bio."
