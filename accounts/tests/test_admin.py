"""Users, roles and sessions in the admin, as those who work there meet them."""

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.admin.roles import GRANTABLE
from accounts.models import FailedLogin, Role, Session, User
from aimessage.audit.models import Entry
from conftest import ApiClient
from tests.factories import PASSWORD, SessionFactory, UserFactory

USERS = "/admin/accounts/user/"
ROLES = "/admin/accounts/role/"
SESSIONS = "/admin/accounts/session/"


def act(desk: Client, action: str, *users: User) -> str:
    """Runs an action of the user list on `users`, confirmed; returns the page that tells the outcome."""
    data = {"action": action, "_selected_action": [user.pk for user in users], "confirmed": "yes"}
    return desk.post(USERS, data, follow=True).content.decode()


def form_of(user: User, **changed: object) -> dict[str, object]:
    """What the browser sends from the user's page when nothing but `changed` was touched."""
    fields: dict[str, object] = {
        "username": user.username,
        "full_name": user.full_name or "",
        "email": user.email,
        "phone_number": user.phone_number or "",
        "bio": user.bio or "",
        "is_active": user.is_active,
        "is_superuser": user.is_superuser,
        "groups": list(user.groups.values_list("pk", flat=True)),
    }
    shown = {f"initial-{name}": value for name, value in fields.items()}
    return {name: value for name, value in {**shown, **fields, **changed}.items() if value is not False}


@pytest.mark.parametrize("query", ["bob", "bob@example", "Baker", "4930123"])
def test_user_list_finds_by_name_address_and_number(desk: Client, alice: User, bob: User, query: str) -> None:
    User.objects.filter(pk=bob.pk).update(phone_number="+4930123456")

    page = desk.get(USERS, {"q": query}).content.decode()

    assert "1 result" in page
    assert f"{USERS}{bob.pk}/change/" in page
    assert f"{USERS}{alice.pk}/change/" not in page


def test_user_list_filters(desk: Client, alice: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)

    page = desk.get(USERS, {"is_active__exact": "0"}).content.decode()

    assert f"{USERS}{bob.pk}/change/" in page
    assert f"{USERS}{alice.pk}/change/" not in page


def test_user_list_takes_a_constant_number_of_queries(
    desk: Client, django_assert_num_queries: Callable[..., object]
) -> None:
    # session, its user; count of what matches; the page, its users' roles; the roles to filter by
    with django_assert_num_queries(6) as few:
        desk.get(USERS)
    UserFactory.create_batch(30)
    with django_assert_num_queries(len(few)):
        desk.get(USERS)


def test_adding_a_user_with_a_role(desk: Client, client: APIClient) -> None:
    role = Group.objects.get(name="moderator")
    form = {
        "username": "dora",
        "email": "dora@example.org",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "groups": [role.pk],
    }

    answer = desk.post(f"{USERS}add/", form)

    assert answer.status_code == 302
    dora = User.objects.get(username="dora")
    assert (dora.is_staff, dora.is_superuser, list(dora.groups.all())) == (True, False, [role])
    assert client.post("/auth/login", {"username": "dora", "password": PASSWORD}).status_code == 200


def test_adding_a_superuser(desk: Client) -> None:
    form = {
        "username": "dora",
        "email": "dora@example.org",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "is_superuser": True,
    }

    desk.post(f"{USERS}add/", form)

    dora = User.objects.get(username="dora")
    assert (dora.is_staff, dora.is_superuser) == (True, True)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"username": "ALICE"}, "Username already registered"),
        ({"email": "Alice@Example.org"}, "Email already registered"),
        ({"phone_number": "12"}, "Enter a phone number in international form"),
        ({"username": "two words"}, "A username consists of letters"),
    ],
)
def test_a_form_that_breaks_a_rule_is_shown_again(
    desk: Client, alice: User, bob: User, changed: dict[str, str], message: str
) -> None:
    answer = desk.post(f"{USERS}{bob.pk}/change/", form_of(bob, **changed))

    assert answer.status_code == 200
    assert message in answer.content.decode()
    bob.refresh_from_db()
    assert (bob.username, bob.email, bob.phone_number) == ("bob", "bob@example.org", None)


def test_changing_a_profile_stores_the_number_as_e164(desk: Client, bob: User) -> None:
    desk.post(f"{USERS}{bob.pk}/change/", form_of(bob, phone_number="+49 30 123456", full_name="Bob"))

    bob.refresh_from_db()
    assert (bob.phone_number, bob.full_name) == ("+4930123456", "Bob")


def test_disabling_shuts_out_at_once(desk: Client, bob: User, as_user: Callable[[User], APIClient]) -> None:
    bobs = as_user(bob)

    page = act(desk, "disable", bob)

    assert "1 user disabled." in page
    assert bobs.get("/auth/me").status_code == 401
    assert not Session.objects.filter(user=bob, is_active=True).exists()
    assert Entry.objects.about("accounts.user", bob.pk).filter(act="user.disabled").exists()


def test_disabling_on_the_users_page_shuts_out_too(
    desk: Client, bob: User, as_user: Callable[[User], APIClient]
) -> None:
    bobs = as_user(bob)

    desk.post(f"{USERS}{bob.pk}/change/", form_of(bob, is_active=False))

    assert bobs.get("/auth/me").status_code == 401
    bob.refresh_from_db()
    assert not bob.is_active
    assert not Session.objects.filter(user=bob, is_active=True).exists()


def test_enabling_lets_in_again_but_revives_no_session(
    desk: Client, bob: User, client: APIClient, as_user: Callable[[User], APIClient]
) -> None:
    bobs = as_user(bob)
    act(desk, "disable", bob)

    act(desk, "enable", bob)

    assert bobs.get("/auth/me").status_code == 401
    assert client.post("/auth/login", {"username": "bob", "password": PASSWORD}).status_code == 200


def test_granting_and_withdrawing_superuser(desk: Client, bob: User) -> None:
    act(desk, "grant_superuser", bob)
    bob.refresh_from_db()
    assert (bob.is_superuser, bob.is_staff) == (True, True)

    act(desk, "withdraw_superuser", bob)
    bob.refresh_from_db()
    assert (bob.is_superuser, bob.is_staff) == (False, False)


def test_ending_every_session_of_a_user(
    desk: Client, bob: User, as_user: Callable[[User], APIClient]
) -> None:
    first, second = as_user(bob), as_user(bob)

    act(desk, "end_sessions", bob)

    assert first.get("/auth/me").status_code == second.get("/auth/me").status_code == 401


def test_ending_one_session(desk: Client, bob: User, as_user: Callable[[User], APIClient]) -> None:
    first, second = as_user(bob), as_user(bob)

    desk.post(SESSIONS, {"action": "end", "_selected_action": [first.session_row.pk], "confirmed": "yes"})

    assert first.get("/auth/me").status_code == 401
    assert second.get("/auth/me").status_code == 200


def test_setting_a_password_ends_the_users_sessions(
    desk: Client, bob: User, client: APIClient, as_user: Callable[[User], APIClient]
) -> None:
    bobs = as_user(bob)

    desk.post(f"{USERS}{bob.pk}/password/", {"password1": "amber-kettle-77", "password2": "amber-kettle-77"})

    assert bobs.get("/auth/me").status_code == 401
    assert client.post("/auth/login", {"username": "bob", "password": "amber-kettle-77"}).status_code == 200


def test_deleting_a_user_asks_first(desk: Client, bob: User) -> None:
    asked = desk.get(f"{USERS}{bob.pk}/delete/")
    assert "Delete bob?" in asked.content.decode()

    desk.post(f"{USERS}{bob.pk}/delete/", {"post": "yes"})

    assert not User.objects.filter(pk=bob.pk).exists()


@pytest.mark.parametrize("way", ["page", "action"])
def test_deleting_a_user_who_has_sessions(
    desk: Client, bob: User, as_user: Callable[[User], APIClient], way: str
) -> None:
    """Sessions go with him, although the admin lets nobody delete one."""
    bobs = as_user(bob)
    path = f"{USERS}{bob.pk}/delete/" if way == "page" else USERS

    desk.post(path, {"action": "delete_selected", "_selected_action": [bob.pk], "post": "yes"})

    assert not User.objects.filter(pk=bob.pk).exists()
    assert bobs.get("/auth/me").status_code == 401


@pytest.mark.parametrize("action", ["disable", "withdraw_superuser", "delete_selected"])
def test_nobody_disables_demotes_or_deletes_himself(
    desk: Client, superuser: User, ruler: User, action: str
) -> None:
    data = {"action": action, "_selected_action": [superuser.pk], "post": "yes", "confirmed": "yes"}

    page = desk.post(USERS, data, follow=True).content.decode()

    assert "yourself" in page
    superuser.refresh_from_db()
    assert (superuser.is_active, superuser.is_superuser) == (True, True)


def test_a_refused_deletion_of_several_deletes_none_and_logs_none(
    desk: Client, superuser: User, ruler: User, bob: User
) -> None:
    selected = [bob.pk, superuser.pk, ruler.pk]

    page = desk.post(
        USERS, {"action": "delete_selected", "_selected_action": selected, "post": "yes"}, follow=True
    )

    assert "You cannot delete yourself" in page.content.decode()
    assert User.objects.filter(pk__in=selected).count() == 3
    assert not Entry.objects.exists()


@pytest.mark.parametrize("changed", [{"is_active": False}, {"is_superuser": False}])
def test_nobody_shuts_himself_out_on_his_own_page(
    desk: Client, superuser: User, ruler: User, changed: dict[str, bool]
) -> None:
    page = desk.post(
        f"{USERS}{superuser.pk}/change/", form_of(superuser, full_name="Other", **changed), follow=True
    )

    assert "yourself" in page.content.decode()
    superuser.refresh_from_db()
    assert (superuser.is_active, superuser.is_superuser) == (True, True)
    assert superuser.full_name == "Ruth Root", "what is refused changes nothing"


def test_a_superuser_deletes_another_but_not_himself(desk: Client, superuser: User, ruler: User) -> None:
    desk.post(f"{USERS}{superuser.pk}/delete/", {"post": "yes"})
    desk.post(f"{USERS}{ruler.pk}/delete/", {"post": "yes"})

    assert list(User.objects.superusers()) == [superuser]


def test_a_role_is_added_and_opens_the_admin(desk: Client, bob: User) -> None:
    permission = Permission.objects.get(codename="view_report")
    desk.post(f"{ROLES}add/", {"name": "reader", "description": "Reads.", "permissions": [permission.pk]})
    role = Role.objects.get(name="reader")

    desk.post(f"{USERS}{bob.pk}/change/", form_of(bob, groups=[role.pk]))

    bob.refresh_from_db()
    assert bob.is_staff
    assert bob.has_perm("reports.view_report")
    assert f'?role={role.pk}">1</a>' in desk.get(ROLES).content.decode()


def test_a_role_is_given_each_permission_in_plain_words_once(desk: Client) -> None:
    page = desk.get(f"{ROLES}add/").content.decode()

    offered = re.findall(r'name="permissions"[^>]*>\s*([^<]*?)\s*</label>', page)
    assert offered == list(GRANTABLE.values())


def test_deleting_a_role_shuts_the_admin_for_its_holders(desk: Client, moderator: User) -> None:
    role = Role.objects.get(name="moderator")

    desk.post(f"{ROLES}{role.pk}/delete/", {"post": "yes"})

    moderator.refresh_from_db()
    assert not moderator.is_staff
    assert not Role.objects.exists()


def test_a_role_that_loses_its_permissions_shuts_the_admin(desk: Client, moderator: User) -> None:
    role = Role.objects.get(name="moderator")

    desk.post(f"{ROLES}{role.pk}/change/", {"name": role.name, "description": role.description})

    moderator.refresh_from_db()
    assert not moderator.is_staff


def test_failed_logins_are_listed_and_forgotten(
    desk: Client, client: APIClient, alice: User, settings: Settings
) -> None:
    for _ in range(5):
        client.post("/auth/login", {"username": "alice", "password": "wrong"})
    assert client.post("/auth/login", {"username": "alice", "password": PASSWORD}).status_code == 429
    failures = list(FailedLogin.objects.values_list("pk", flat=True))

    desk.post("/admin/accounts/failedlogin/", {"action": "forget", "_selected_action": failures})

    assert client.post("/auth/login", {"username": "alice", "password": PASSWORD}).status_code == 200


def test_lockout_counts_and_answers_in_the_admin_too(alice: User, superuser: User, client: APIClient) -> None:
    browser = Client()
    for _ in range(3):
        browser.post("/admin/login/", {"username": "root", "password": "wrong"})
    for _ in range(2):
        client.post("/auth/login", {"username": "ROOT", "password": "wrong"})

    answer = browser.post("/admin/login/", {"username": "root", "password": PASSWORD})

    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 15 * 60
    assert "Too many failed logins" in answer.content.decode()
    assert client.post("/auth/login", {"username": "root", "password": PASSWORD}).status_code == 429


def test_a_login_to_the_admin_works_and_clears_earlier_failures(superuser: User) -> None:
    browser = Client()
    browser.post("/admin/login/", {"username": "root", "password": "wrong"})

    answer = browser.post("/admin/login/?next=/admin/", {"username": "root", "password": PASSWORD})

    assert answer.status_code == 302
    assert not FailedLogin.objects.exists()


@pytest.mark.parametrize("url", [USERS, ROLES, SESSIONS, "/admin/accounts/failedlogin/", f"{USERS}add/"])
def test_only_superusers_see_accounts(moderator: User, alice: User, url: str) -> None:
    for user, status in [(moderator, 403), (alice, 302)]:
        browser = Client()
        browser.force_login(user, backend="accounts.backends.AccountBackend")
        assert browser.get(url).status_code == status
    assert Client().get(url).status_code == 302


def test_a_role_that_may_see_users_cannot_change_them(superuser: User, moderator: User, bob: User) -> None:
    role = Group.objects.get(name="moderator")
    role.permissions.add(*Permission.objects.filter(codename__in=["view_user", "change_user", "delete_user"]))
    browser = Client()
    browser.force_login(moderator, backend="accounts.backends.AccountBackend")

    assert browser.get(USERS).status_code == 200
    crafted = [
        browser.post(f"{USERS}{moderator.pk}/change/", form_of(moderator, is_superuser=True)),
        browser.post(f"{USERS}{bob.pk}/delete/", {"post": "yes"}),
        browser.post(f"{USERS}{superuser.pk}/password/", {"password1": PASSWORD, "password2": PASSWORD}),
    ]
    browser.post(USERS, {"action": "grant_superuser", "_selected_action": [moderator.pk]})

    assert [answer.status_code for answer in crafted] == [403, 403, 403]
    moderator.refresh_from_db()
    assert not moderator.is_superuser
    assert User.objects.filter(pk=bob.pk).exists()


def test_a_disabled_superuser_loses_his_admin_session(ruler: User, superuser: User, desk: Client) -> None:
    browser = Client()
    browser.force_login(ruler, backend="accounts.backends.AccountBackend")
    assert browser.get("/admin/").status_code == 200

    act(desk, "disable", ruler)

    assert browser.get("/admin/").status_code == 302


def test_session_list_filters_by_state_and_user(desk: Client, alice: User, bob: User) -> None:
    SessionFactory(user=alice, device_info="Alice's phone")
    SessionFactory(user=bob, device_info="Bob's phone", is_active=False)

    live = desk.get(SESSIONS, {"state": "live"}).content.decode()
    bobs = desk.get(SESSIONS, {"user__id__exact": bob.pk}).content.decode()

    assert ("Alice&#x27;s phone" in live, "Bob&#x27;s phone" in live) == (True, False)
    assert ("Alice&#x27;s phone" in bobs, "Bob&#x27;s phone" in bobs) == (False, True)


def test_private_messages_cannot_be_browsed(desk: Client) -> None:
    page = desk.get("/admin/").content.decode()

    assert "/admin/messaging/" not in page
    assert desk.get("/admin/messaging/message/").status_code == 404


def test_ones_own_new_password_ends_the_sessions_of_the_api(
    desk: Client, superuser: User, as_user: ApiClient
) -> None:
    api = as_user(superuser)
    passwords = {"new_password1": "orange-anvil-77", "new_password2": "orange-anvil-77"}

    assert desk.post("/admin/password_change/", {**passwords, "old_password": "wrong"}).status_code == 200
    assert api.get("/auth/me").status_code == 200
    answer = desk.post("/admin/password_change/", {**passwords, "old_password": PASSWORD}, follow=True)

    assert answer.redirect_chain[-1][0] == "/admin/password_change/done/"
    assert answer.status_code == 200  # the admin's own session goes on
    assert api.get("/auth/me").status_code == 401
    entry = Entry.objects.get()
    assert (entry.act, entry.before["live_sessions"], entry.after["live_sessions"]) == ("password.set", 1, 0)
    superuser.refresh_from_db()
    assert superuser.check_password("orange-anvil-77")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("username", "ALICE", "Username already registered"),
        ("username", "\uff21lice", "Username already registered"),
        ("email", "Alice@Example.ORG", "Email already registered"),
        ("username", "", "This field is required"),
        ("username", None, "This field is required"),
        ("email", None, "This field is required"),
    ],
)
def test_a_user_who_cannot_be_added_is_told_why(
    desk: Client, alice: User, field: str, value: str | None, said: str
) -> None:
    form = {
        "username": "zoe",
        "email": "zoe@example.org",
        "password1": "orange-anvil-77",
        "password2": "orange-anvil-77",
        field: value,
    }

    answer = desk.post("/admin/accounts/user/add/", {k: v for k, v in form.items() if v is not None})

    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert User.objects.count() == 2


@pytest.mark.parametrize("pk", ["x", "9223372036854775808", "9" * 30, "-1", "0", "1.5"])
def test_ids_of_nothing_are_told(desk: Client, bob: User, pk: str) -> None:
    form = {"action": "disable", "_selected_action": pk, "confirmed": "yes"}
    page = desk.post("/admin/accounts/user/", form, follow=True).content.decode()
    assert "Items must be selected" in page or pk == "1.5"

    desk.post("/admin/accounts/user/", {**form, "_selected_action": [pk, bob.pk]})
    bob.refresh_from_db()
    assert not bob.is_active

    role = {"name": "clerk", "permissions": [pk]}
    answer = desk.post("/admin/accounts/role/add/", role)
    assert answer.status_code == 200
    assert "is not" in answer.content.decode()


def test_no_page_of_the_admin_speaks_of_what_is_not_here(
    browser_of: Callable[[User], Client], superuser: User, alice: User
) -> None:
    browser = browser_of(superuser)

    password = browser.get(f"/admin/accounts/user/{alice.pk}/password/").content.decode()
    assert "assertions alone" in password
    assert "LDAP" not in password
    farewell = browser.post("/admin/logout/").content.decode()
    assert "Your session in the admin has ended." in farewell
    assert "quality time" not in farewell
