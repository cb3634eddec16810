"""The admin's lists of users, roles, sessions and failed logins: what they leave, and what they cost."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import FailedLogin, Role, Session, User
from accounts.services.roles import assign_roles
from reports.services import file_report, moderate_report
from tests.factories import FailedLoginFactory, MessageFactory, SessionFactory, UserFactory

USERS = "/admin/accounts/user/"
ROLES = "/admin/accounts/role/"
SESSIONS = "/admin/accounts/session/"
FAILURES = "/admin/accounts/failedlogin/"


def make_users(first: int, last: int) -> None:
    users = [
        User(username=f"many{n}", email=f"many{n}@example.org", password="!") for n in range(first, last)
    ]
    User.objects.bulk_create(users, batch_size=1000)
    role = Group.objects.get(name="moderator")
    User.groups.through.objects.bulk_create(
        [User.groups.through(user=user, group=role) for user in users], batch_size=5000
    )


def make_roles(first: int, last: int) -> None:
    # A role is two rows, of which bulk_create makes but one.
    groups = Group.objects.bulk_create(Group(name=f"many{n}") for n in range(first, last))
    for start in range(0, len(groups), 100):
        roles = [Role(group_ptr=group, description="One of many.") for group in groups[start : start + 100]]
        Role._base_manager._insert(roles, fields=Role._meta.local_concrete_fields, using="default")
    sees = Permission.objects.get(codename="view_report")
    Group.permissions.through.objects.bulk_create(
        [Group.permissions.through(group=group, permission=sees) for group in groups], batch_size=5000
    )


def make_sessions(first: int, last: int) -> None:
    user = User.objects.get(username="root")
    later = timezone.now() + timedelta(days=7)
    Session.objects.bulk_create(
        [Session(user=user, session_token=f"{n:064x}", expires_at=later) for n in range(first, last)],
        batch_size=1000,
    )


def make_failures(first: int, last: int) -> None:
    if not User.objects.filter(username="many0").exists():
        make_users(0, 7)
    users = list(User.objects.filter(username__startswith="many")[:7])
    FailedLogin.objects.bulk_create(
        [FailedLoginFactory.build(user=users[n % 7]) for n in range(first, last)], batch_size=1000
    )


#: How many queries each list takes. Everywhere they are the admin's session, its user, and a count; then
#: the page.
COSTS = [
    (
        make_users,
        USERS,
        # with their roles, where there are any users, and the roles to filter by
        [
            ({}, 6),
            ({"q": "many"}, 6),
            ({"q": "many1@example.org"}, 6),
            ({"is_active__exact": "1", "is_staff__exact": "0", "last_login": "never"}, 6),
            ({"reported": "ever"}, 5),
            # looks for the first failure of the window
            ({"locked": "out"}, 6),
        ],
    ),
    # with what they allow, and the model that each permission is about
    (make_roles, ROLES, [({}, 6), ({"q": "many"}, 6)]),
    # looks for the people of that name
    (make_sessions, SESSIONS, [({}, 4), ({"q": "root", "state": "live"}, 5)]),
    # looks for the people of that name; for the first failure of the hour
    (make_failures, FAILURES, [({}, 4), ({"q": "many"}, 5), ({"since": "hour"}, 5)]),
]


@pytest.mark.parametrize(("make", "url", "costs"), COSTS, ids=["users", "roles", "sessions", "failed logins"])
def test_a_list_takes_as_many_queries_for_ten_rows_as_for_ten_thousand(
    desk: Client,
    django_assert_num_queries: Callable[..., Any],
    make: Callable[[int, int], None],
    url: str,
    costs: list[tuple[dict[str, str], int]],
) -> None:
    for first, last in [(0, 10), (10, 10_000)]:
        make(first, last)
        for query, queries in costs:
            with django_assert_num_queries(queries):
                assert desk.get(url, query).status_code == 200
    if connection.vendor == "postgresql":
        # A request's limit still holds, and the check of all foreign keys at the end may take longer.
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '10min'")


def test_a_users_page_takes_as_many_queries_for_many_rows(
    desk: Client, superuser: User, bob: User, alice: User, django_assert_num_queries: Callable[..., Any]
) -> None:
    def make(count: int) -> None:
        for _ in range(count):
            SessionFactory(user=bob)
            message = MessageFactory(sender=bob, recipient=alice)
            file_report(alice, title="t", content="c", message_id=message.pk)
            LogEntry.objects.log_actions(superuser.pk, [bob], CHANGE, "Looked at.", single_object=True)

    make(1)
    # the admin's session, its user; bob; live sessions, failed logins, reports about and by him, his roles
    # twice, his history; the roles that there are; his second factor, his personal tokens, mails,
    # addresses of his, and what the assistant may tell of him
    with django_assert_num_queries(19):
        desk.get(f"{USERS}{bob.pk}/change/")
    make(12)
    with django_assert_num_queries(19):
        desk.get(f"{USERS}{bob.pk}/change/")


def test_a_long_list_says_that_it_is_longer(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimessage.backoffice.lists.COUNT_LIMIT", 60)
    monkeypatch.setattr("aimessage.backoffice.lists.FOUND_LIMIT", 50)
    make_users(0, 80)

    page = desk.get(USERS, {"p": "2"}).content.decode()
    found = desk.get(USERS, {"q": "many"}).content.decode()

    assert "More than 60 users" in page
    assert "More than 50 results" in found
    assert desk.get(USERS, {"p": "3"}).status_code == 302


@pytest.fixture
def crowd(alice: User, bob: User, carol: User, mallory: User, clerk: User, moderator: User) -> None:
    now = timezone.now()
    User.objects.filter(pk=bob.pk).update(is_active=False, last_login=now - timedelta(days=100))
    User.objects.filter(pk=carol.pk).update(last_login=now - timedelta(days=3))
    User.objects.filter(pk=moderator.pk).update(last_login=now)
    for sender, status in [(mallory, "open"), (bob, "resolved")]:
        message = MessageFactory(sender=sender if sender != bob else UserFactory(), recipient=alice)
        report, _ = file_report(alice, title="t", content="c", message_id=message.pk)
        type(report).objects.filter(pk=report.pk).update(message_sender=sender)
        moderate_report(report, actor=moderator, status=status)
    for user in [alice, None]:
        FailedLoginFactory.create_batch(5, user=user)


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"is_active__exact": "0"}, {"bob"}),
        ({"is_superuser__exact": "1"}, {"root"}),
        ({"is_staff__exact": "1"}, {"root", "clerk", "moderator"}),
        ({"locked": "out"}, {"alice"}),
        ({"last_login": "day"}, {"moderator", "root"}),
        ({"last_login": "week"}, {"moderator", "root", "carol"}),
        ({"last_login": "left"}, {"bob"}),
        ({"reported": "unresolved"}, {"mallory"}),
        ({"reported": "ever"}, {"mallory", "bob"}),
        ({"reported": "ever", "is_active__exact": "1"}, {"mallory"}),
        ({"q": "ali"}, {"alice"}),
        ({"q": "Carol Coop"}, {"carol"}),
    ],
)
def test_the_list_of_users_finds(desk: Client, query: dict[str, str], found: set[str]) -> None:
    users = desk.get(USERS, query).context["cl"].result_list

    assert {user.username for user in users} == found


@pytest.mark.usefixtures("crowd")
def test_the_list_of_users_by_role(desk: Client, superuser: User, carol: User) -> None:
    role = Role.objects.create(name="reader")
    assign_roles(carol, [role], actor=superuser)

    users = desk.get(USERS, {"role": str(role.pk)}).context["cl"].result_list

    assert [user.username for user in users] == ["carol"]
    for nonsense in ("x", "0", "9" * 30):
        assert desk.get(USERS, {"role": nonsense}).status_code == 200


@pytest.mark.parametrize("url", [USERS, ROLES, SESSIONS, FAILURES])
@pytest.mark.parametrize("query", ["%", "'", "\\", "x" * 5000, "😀", "9" * 30, "::1", "+", ":*"])
def test_whatever_is_searched_for_is_no_error(desk: Client, url: str, query: str) -> None:
    assert desk.get(url, {"q": query}).status_code == 200


@pytest.mark.parametrize("url", [USERS, ROLES, SESSIONS, FAILURES])
def test_no_list_is_sorted_by_what_has_no_index(desk: Client, url: str) -> None:
    assert "?o=" not in desk.get(url).content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("bob", {"phone"}),
        ("BO", {"phone"}),
        ("192.0.2.7", {"laptop"}),
        ("2001:DB8:0::1", {"phone"}),
        ("ob", set()),
    ],
)
def test_sessions_are_found_by_user_and_address(
    desk: Client, alice: User, bob: User, query: str, found: set[str]
) -> None:
    SessionFactory(user=alice, device_info="laptop", ip_address="192.0.2.7")
    SessionFactory(user=bob, device_info="phone", ip_address="2001:db8::1")

    sessions = desk.get(SESSIONS, {"q": query}).context["cl"].result_list

    assert {session.device_info for session in sessions} == found


def test_failed_logins_are_found_by_name_address_and_time(desk: Client) -> None:
    for name, address in [("ÉMILE", "192.0.2.7"), ("bob", "192.0.2.8")]:
        FailedLoginFactory(user=UserFactory(username=name), ip_address=address)
    old = UserFactory(username="old")
    FailedLoginFactory(user=old, ip_address="192.0.2.9", attempt_time=timezone.now() - timedelta(days=2))
    FailedLoginFactory(typed="émilie", ip_address="192.0.2.10")

    for query, names in [
        ({"q": "Émi"}, ["émile"]),
        ({"q": "192.0.2.8"}, ["bob"]),
        ({"q": "192.0.2.10"}, ["(unknown name)"]),
        ({"q": "::ffff:192.0.2.8"}, ["bob"]),
        ({"since": "hour"}, ["(unknown name)", "bob", "émile"]),
        ({"since": "week"}, ["(unknown name)", "old", "bob", "émile"]),
    ]:
        failures = desk.get(FAILURES, query).context["cl"].result_list
        assert [failure.username for failure in failures] == names


@pytest.mark.parametrize("url", [SESSIONS, FAILURES])
@pytest.mark.parametrize("lookup", ["ip_address", "ip_address__exact", "ip_address__in"])
def test_a_crafted_address_in_the_url_is_refused(desk: Client, url: str, lookup: str) -> None:
    assert desk.get(url, {lookup: "x"}).status_code == 400
