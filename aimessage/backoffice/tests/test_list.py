"""The list of the trail, its filters and its search, and the page of one row."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from aimessage.audit import services
from aimessage.audit.models import Entry
from aimessage.audit.tests.trails import trail
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

TRAIL = "/admin/audit/entry/"


def numbers(desk: Client, **chosen: str) -> list[int]:
    answer = desk.get(TRAIL, chosen)
    assert answer.status_code == 200, answer.headers.get("Location")
    return [row.pk for row in answer.context["cl"].result_list]


def test_the_newest_row_comes_first(desk: Client) -> None:
    trail(3)

    assert numbers(desk) == [3, 2, 1]


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("ali", [1]),
        ("ALICE", [1]),
        ("ÉMI", [2]),
        ("émile", [2]),
        ("lice", []),
        ("10.0.0.3", [3]),
        ("10.0.0", []),
        ("req-4", [4]),
        ("req", []),
        ("Bob's rep", [4]),
        ("3", [3]),
        ("nobody", []),
        ("100%", []),
        ("_", []),
        ("9" * 30, []),
        ("²", []),
    ],
)
def test_search(desk: Client, term: str, found: list[int]) -> None:
    plain = {"actor_name": "x", "target_label": "y", "address": "", "request_id": "-"}
    for made in [
        {"actor_name": "alice"},
        {"actor_name": "Émile"},
        {"address": "10.0.0.3"},
        {"request_id": "req-4", "target_label": "bob's report"},
    ]:
        trail(1, **{**plain, **made})

    assert numbers(desk, q=term) == found


def test_filters_by_act_and_by_who(desk: Client) -> None:
    trail(1, act="user.enabled", actor_id=7, actor_name="rick")
    trail(2, act="user.disabled", actor_id=7, actor_name="rick the second")
    trail(1, act="admin.login_failed", actor_id=None, actor_name="mallory")

    assert numbers(desk, act="user.disabled") == [3, 2]
    assert numbers(desk, actor="7") == [3, 2, 1]
    assert numbers(desk, actor="7", act="user.enabled") == [1]
    assert numbers(desk, actor="8") == []
    page = desk.get(TRAIL).content.decode()
    for offered in ("?act=admin.login_failed", "?act=user.disabled", "?act=user.enabled", "?actor=7"):
        assert offered in page
    assert ">rick the second</a></li>" in page


@pytest.fixture
def _dated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows 1 to 4, the first three of 10, 11 and 12 March in UTC, the fourth of now."""
    for day in (10, 11, 12):
        moment = datetime(2026, 3, day, 23, 59, 59, 999_999, UTC)
        with monkeypatch.context() as patched:
            patched.setattr(services.timezone, "now", lambda moment=moment: moment)
            trail(1)
    trail(1)


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"from": "2026-03-11"}, [4, 3, 2]),
        ({"until": "2026-03-11"}, [2, 1]),
        ({"from": "2026-03-11", "until": "2026-03-11"}, [2]),
        ({"from": "2026-03-13", "until": "2026-03-20"}, []),
        ({"from": "9999-12-31"}, []),
        ({"until": "9999-12-31"}, [4, 3, 2, 1]),
        ({"from": "", "until": ""}, [4, 3, 2, 1]),
    ],
)
@pytest.mark.usefixtures("_dated")
def test_filters_by_date(desk: Client, chosen: dict[str, str], found: list[int]) -> None:
    assert numbers(desk, **chosen) == found


@pytest.mark.usefixtures("_dated")
def test_the_form_of_dates_keeps_the_other_filters(desk: Client) -> None:
    today = timezone.now().date()

    page = desk.get(TRAIL, {"act": "user.disabled", "q": "bob", "from": "2026-03-11"}).content.decode()

    assert '<input type="hidden" name="act" value="user.disabled">' in page
    assert '<input type="hidden" name="q" value="bob">' in page
    assert '<input type="date" name="from" value="2026-03-11">' in page
    assert f"from={today - timedelta(days=6)}" in page


@pytest.mark.parametrize(
    "chosen",
    [{"from": "yesterday"}, {"until": "2026-13-01"}, {"actor": "x"}, {"actor": "9" * 30}],
)
def test_a_filter_that_is_none_leads_back(desk: Client, chosen: dict[str, str]) -> None:
    trail(1)

    answer = desk.get(TRAIL, chosen)

    assert (answer.status_code, answer["Location"]) == (302, f"{TRAIL}?e=1")


def test_the_list_reaches_so_far_and_says_so(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimessage.backoffice.admin.REACH", 60)
    trail(70)

    page = desk.get(TRAIL).content.decode()

    assert "the newest 60 that match" in page
    assert numbers(desk, p="2")[-1] == 11
    assert desk.get(TRAIL, {"p": "3"}).status_code == 302


def queries_at(desk: Client, assert_num_queries: DjangoAssertNumQueries, count: int) -> None:
    # session, user; the acts and the people to choose from; how many, up to a limit; the rows
    with assert_num_queries(count):
        desk.get(TRAIL)
    # the same, with the first row of the day
    with assert_num_queries(count + 1):
        desk.get(TRAIL, {"q": "bob", "act": "user.disabled", "from": "2026-01-01"})


def test_the_list_takes_a_constant_number_of_queries(
    desk: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    trail(10)
    queries_at(desk, django_assert_num_queries, 6)
    for number in range(10):
        trail(999, actor_id=number, actor_name=f"user{number}", act=f"user.act{number}")
    queries_at(desk, django_assert_num_queries, 6)


def test_a_rows_page_takes_a_constant_number_of_queries(
    desk: Client, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    trail(1, target_id=str(bob.pk))
    desk.get(f"{TRAIL}1/change/")
    # session, user; the row; whether its object is still there
    with django_assert_num_queries(4):
        desk.get(f"{TRAIL}1/change/")


def test_a_rows_page_shows_what_changed_and_leads_to_the_object(desk: Client, bob: User) -> None:
    was = {"status": "open", "roles": ["a", "b"], "comment": None, "is_active": True}
    now = {"status": "resolved", "roles": ["a"], "comment": "<b>Done.</b>", "is_active": False}
    trail(1, before=was, after=now, target_id=str(bob.pk))

    page = desk.get(f"{TRAIL}1/change/").content.decode()

    assert f'<a href="/admin/accounts/user/{bob.pk}/change/">bob</a>' in page
    assert f'href="/admin/accounts/user/{bob.pk}/history/"' in page
    for told in ("Is active", ">yes<", ">no<", "<li>b</li>", "&lt;b&gt;Done.&lt;/b&gt;", ">none<"):
        assert told in page
    assert Entry.objects.get().hash in page
    assert 'name="_save"' not in page


def test_the_object_of_a_row_may_be_gone(desk: Client) -> None:
    trail(1, target_id="999")
    trail(1, target_kind="gone.model")
    trail(1, target_kind="messaging.message", target_id="5")
    trail(1, target_kind="", target_id="", target_label="")

    assert "deleted since" in desk.get(f"{TRAIL}1/change/").content.decode()
    assert "bob (gone.model 2)" in desk.get(f"{TRAIL}2/change/").content.decode()
    assert "bob (messaging.message 5)" in desk.get(f"{TRAIL}3/change/").content.decode()
    assert desk.get(f"{TRAIL}4/change/").status_code == 200
    assert desk.get(f"{TRAIL}99/change/").status_code == 302


# --- Who may look, and that nobody writes ---


@pytest.fixture
def auditor(db: None) -> User:
    """Somebody whose role may view the trail, and nothing else."""
    user = UserFactory(username="auditor", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_entry"))
    return user


WRITES = [
    (f"{TRAIL}add/", {"sentence": "Nothing."}),
    (f"{TRAIL}1/change/", {"sentence": "Nothing."}),
    (f"{TRAIL}1/delete/", {"post": "yes"}),
    (TRAIL, {"action": "delete_selected", "_selected_action": ["1"], "post": "yes"}),
    (TRAIL, {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": "1", "_save": "Save"}),
    (f"{TRAIL}export/", {}),
]


@pytest.mark.parametrize("who", ["superuser", "auditor", "moderator", "clerk", "alice", None])
@pytest.mark.parametrize(("url", "data"), WRITES)
def test_nobody_writes_in_the_trail(
    request: pytest.FixtureRequest,
    browser_of: Callable[[User], Client],
    who: str | None,
    url: str,
    data: dict[str, str],
) -> None:
    browser = browser_of(request.getfixturevalue(who)) if who else Client()
    trail(1)
    before = list(Entry.objects.values())

    answer = browser.post(url, data)

    may_look = who in ("superuser", "auditor")
    expected = {302} if who in ("alice", None) else {403, 405}
    if url == TRAIL and may_look:  # which shows the list, and takes no notice
        expected = {200, 302}
    assert answer.status_code in expected
    assert list(Entry.objects.values()) == before


@pytest.mark.parametrize("url", [TRAIL, f"{TRAIL}1/change/", f"{TRAIL}1/history/", f"{TRAIL}export/"])
def test_who_may_look(
    browser_of: Callable[[User], Client],
    superuser: User,
    auditor: User,
    moderator: User,
    clerk: User,
    alice: User,
    url: str,
) -> None:
    trail(1)

    people = (superuser, auditor, moderator, clerk, alice)
    looks = {user.username: browser_of(user).get(url).status_code for user in people}

    assert looks == {"root": 200, "auditor": 200, "moderator": 403, "clerk": 403, "alice": 302}
    assert Client().get(url).status_code == 302


def test_nobody_is_led_where_he_may_not_look(
    browser_of: Callable[[User], Client], desk: Client, auditor: User, bob: User
) -> None:
    trail(1, actor_id=auditor.pk, target_id=str(bob.pk), target_label="bob")
    address = f"/admin/accounts/user/{bob.pk}/"

    for url in (f"{TRAIL}1/change/", "/admin/"):
        page = browser_of(auditor).get(url).content.decode()
        assert "bob" in page
        assert address not in page
    assert address in desk.get(f"{TRAIL}1/change/").content.decode()


def test_a_role_may_be_given_the_trail_to_look_at(desk: Client, superuser: User) -> None:
    page = desk.get("/admin/accounts/role/add/").content.decode()

    assert "Audit trail: see everything that was done in the admin" in page
    assert not Group.objects.get(name="moderator").permissions.filter(codename="view_entry").exists()
