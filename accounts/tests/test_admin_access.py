"""Who may open what of users, roles, sessions and failed logins in the admin, and who may act there."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import FailedLogin, Role, Session, User
from accounts.services.roles import assign_roles
from tests.factories import FailedLoginFactory, MessageFactory, ReportFactory, SessionFactory, UserFactory

ROLES = ["anonymous", "plain", "clerk", "moderator", "reader", "superuser"]

# The reader holds a role with every permission that a role may hold here.
# A 302 is the way to the login for whoever may not enter the admin, and to the outcome of an act.
TABLE = """
method  path                                          anonymous  plain  clerk  moderator  reader  superuser
GET     /admin/accounts/user/                         302        302    403    403        200     200
GET     /admin/accounts/user/add/                     302        302    403    403        403     200
GET     /admin/accounts/user/{user}/change/           302        302    403    403        200     200
GET     /admin/accounts/user/{user}/delete/           302        302    403    403        403     200
GET     /admin/accounts/user/{user}/history/          302        302    403    403        200     200
GET     /admin/accounts/user/{user}/password/         302        302    403    403        403     200
GET     /admin/accounts/user/{user}/end-session/      302        302    403    403        403     405
GET     /admin/accounts/user/{user}/end-sessions/     302        302    403    403        403     405
GET     /admin/accounts/user/{user}/unlock/           302        302    403    403        403     405
POST    /admin/accounts/user/{user}/change/           302        302    403    403        403     302
POST    /admin/accounts/user/{user}/delete/           302        302    403    403        403     302
POST    /admin/accounts/user/{user}/password/         302        302    403    403        403     302
POST    /admin/accounts/user/{user}/end-session/      302        302    403    403        403     302
POST    /admin/accounts/user/{user}/end-sessions/     302        302    403    403        403     302
POST    /admin/accounts/user/{user}/unlock/           302        302    403    403        403     302
GET     /admin/accounts/role/                         302        302    403    403        200     200
GET     /admin/accounts/role/add/                     302        302    403    403        403     200
GET     /admin/accounts/role/{role}/change/           302        302    403    403        200     200
GET     /admin/accounts/role/{role}/delete/           302        302    403    403        403     200
POST    /admin/accounts/role/add/                     302        302    403    403        403     200
POST    /admin/accounts/role/{role}/change/           302        302    403    403        403     200
POST    /admin/accounts/role/{role}/delete/           302        302    403    403        403     302
GET     /admin/accounts/session/                      302        302    403    403        200     200
GET     /admin/accounts/session/add/                  302        302    403    403        403     403
GET     /admin/accounts/session/{session}/change/     302        302    403    403        200     200
GET     /admin/accounts/session/{session}/delete/     302        302    403    403        403     403
POST    /admin/accounts/session/{session}/change/     302        302    403    403        403     403
GET     /admin/accounts/failedlogin/                  302        302    403    403        200     200
GET     /admin/accounts/failedlogin/{failure}/change/ 302        302    403    403        200     200
GET     /admin/accounts/failedlogin/{failure}/delete/ 302        302    403    403        403     403
"""
ROWS = {
    (method, path): dict(zip(ROLES, map(int, statuses), strict=True))
    for method, path, *statuses in (line.split() for line in TABLE.splitlines()[2:] if line)
}
ACTIONS = {
    "user": [
        "disable",
        "enable",
        "unlock",
        "end_sessions",
        "give_role",
        "grant_superuser",
        "withdraw_superuser",
        "delete_selected",
    ],
    "role": ["delete_selected"],
    "session": ["end", "delete_selected"],
    "failedlogin": ["forget", "delete_selected"],
}


@pytest.fixture
def reader(superuser: User) -> User:
    user = UserFactory(username="reader")
    role = Role.objects.create(name="reader")
    role.permissions.set(
        Permission.objects.filter(content_type__app_label__in=["accounts", "reports"]).exclude(
            content_type__model__in=["refreshtoken"]
        )
    )
    assign_roles(user, [role], actor=superuser)
    user.refresh_from_db()
    return user


@pytest.fixture
def browsers(
    browser_of: Callable[[User], Client],
    alice: User,
    clerk: User,
    moderator: User,
    reader: User,
    superuser: User,
) -> dict[str, Client]:
    users = [alice, clerk, moderator, reader, superuser]
    return dict(zip(ROLES, [Client(), *map(browser_of, users)], strict=True))


@pytest.fixture
def ids(bob: User) -> dict[str, Any]:
    failure = FailedLoginFactory(user=bob)
    return {
        "user": bob.pk,
        "role": Role.objects.get(name="moderator").pk,
        "session": SessionFactory(user=bob).pk,
        "failedlogin": failure.pk,
        "failure": failure.pk,
    }


def everything() -> list[Any]:
    """All that an act could change."""
    return [
        list(
            User.objects.order_by("pk")
            .values()
            .values_list("pk", "is_active", "is_superuser", "is_staff", "password")
        ),
        list(Role.objects.order_by("pk").values_list("pk", "name")),
        list(Group.permissions.through.objects.order_by("pk").values_list()),
        list(User.groups.through.objects.order_by("pk").values_list()),
        list(Session.objects.order_by("pk").values_list("pk", "is_active")),
        list(FailedLogin.objects.order_by("pk").values_list("pk")),
    ]


@pytest.mark.parametrize(("method", "path"), ROWS)
def test_it_answers_each_role_as_the_table_says(
    browsers: dict[str, Client], ids: dict[str, Any], method: str, path: str
) -> None:
    before = everything()
    passwords = {"password1": "amber-kettle-77", "password2": "amber-kettle-77"}
    profile = {"username": "bob", "email": "bob@example.org", "is_active": "on"}
    body = {**passwords, **profile, "post": "yes"} if method == "POST" else {}
    url = path.format(**ids)

    for role in ROLES:
        answer = getattr(browsers[role], method.lower())(url, body)

        assert answer.status_code == ROWS[method, path][role], role
        if role in ("anonymous", "plain"):
            assert answer["Location"] == f"/admin/login/?next={url}"
        if role != "superuser":
            assert everything() == before, role


@pytest.mark.parametrize(
    ("model", "action"), [(model, action) for model, actions in ACTIONS.items() for action in actions]
)
def test_a_crafted_action_of_anybody_but_a_superuser_does_nothing(
    browsers: dict[str, Client], ids: dict[str, Any], model: str, action: str
) -> None:
    before = everything()
    crafted = {"action": action, "_selected_action": [ids[model]], "select_across": "1", "role": ids["role"]}

    for role in ROLES[:-1]:
        confirmed = {**crafted, "confirmed": "yes", "post": "yes"}
        answer = browsers[role].post(f"/admin/accounts/{model}/", confirmed)

        assert answer.status_code == {"anonymous": 302, "plain": 302, "reader": 200}.get(role, 403)
        assert everything() == before, role


@pytest.mark.parametrize("name", ["end-session", "end-sessions", "unlock"])
def test_a_button_wants_a_token_and_a_user(superuser: User, desk: Client, bob: User, name: str) -> None:
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(superuser, backend="accounts.backends.AccountBackend")

    assert forged.post(f"/admin/accounts/user/{bob.pk}/{name}/").status_code == 403
    for pk in (0, 999_999, 10**30):
        assert desk.post(f"/admin/accounts/user/{pk}/{name}/").status_code == 404


def test_who_sees_no_sessions_and_failed_logins_sees_them_on_no_users_page(
    browser_of: Callable[[User], Client], moderator: User, bob: User
) -> None:
    SessionFactory(user=bob, device_info="Bob's phone")
    ReportFactory(reporter=bob, title="Bob's complaint")
    role = Group.objects.get(name="moderator")
    role.permissions.set(Permission.objects.filter(codename="view_user"))

    page = browser_of(moderator).get(f"/admin/accounts/user/{bob.pk}/change/").content.decode()

    assert "bob@example.org" in page
    for hidden in ("phone", "complaint", "Live sessions", "Lockout", "Reports"):
        assert f">{hidden}" not in page
    assert "Bob&#x27;s" not in page


def test_whoever_only_looks_finds_no_button(
    browsers: dict[str, Client], ids: dict[str, Any], bob: User
) -> None:
    page = browsers["reader"].get(f"/admin/accounts/user/{bob.pk}/change/").content.decode()

    assert "Live sessions" in page
    for name in ("end-session", "end-sessions", "unlock", "delete"):
        assert f"/{name}/" not in page


def test_a_moderator_sees_no_address_and_no_number_anywhere(
    browsers: dict[str, Client], alice: User, bob: User, moderator: User
) -> None:
    User.objects.filter(pk__in=[alice.pk, bob.pk]).update(phone_number=None)
    User.objects.filter(pk=bob.pk).update(phone_number="+4930123456")
    message = MessageFactory(sender=bob, recipient=alice, content="Reported words.")
    MessageFactory(sender=alice, recipient=UserFactory(), content="Private words.")
    report = ReportFactory(
        reporter=alice, message=message, message_sender=bob, message_content="Reported words."
    )
    desk = browsers["moderator"]

    for url in ["/admin/", "/admin/reports/report/", f"/admin/reports/report/{report.pk}/change/"]:
        page = desk.get(url).content.decode()
        assert "@example.org" not in page
        assert "4930123456" not in page
        assert "Private words." not in page
        assert "/admin/accounts/" not in page
    for query in ("bob@example.org", "+4930123456"):
        assert "0 reports" in desk.get("/admin/reports/report/", {"q": query}).content.decode()
    for lookup in ("reporter__email__startswith", "message_sender__phone_number__startswith"):
        assert desk.get("/admin/reports/report/", {lookup: "a"}).status_code == 400


def test_a_roles_change_acts_on_the_next_request(
    desk: Client, browser_of: Callable[[User], Client], moderator: User
) -> None:
    browser, role = browser_of(moderator), Role.objects.get(name="moderator")
    page = f"/admin/accounts/role/{role.pk}/change/"
    sees_users = Permission.objects.get(codename="view_user")
    assert browser.get("/admin/reports/report/").status_code == 200
    assert browser.get("/admin/accounts/user/").status_code == 403

    desk.post(page, {"name": "moderator", "permissions": [sees_users.pk]})

    assert browser.get("/admin/reports/report/").status_code == 403
    assert browser.get("/admin/accounts/user/").status_code == 200

    desk.post(page, {"name": "moderator"})

    assert browser.get("/admin/accounts/user/").status_code == 302
