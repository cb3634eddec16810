"""Who came to the admin, who was turned away, and who left."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import User
from aimessage.audit.models import Entry
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"
NEW_PASSWORD = "orange-anvil-77"


def rows() -> list[tuple[str, str, int | None, str]]:
    return [
        (entry.act, entry.actor_name, entry.actor_id, entry.address) for entry in Entry.objects.order_by("pk")
    ]


def log_in(name: str, password: str, browser: Client | None = None) -> int:
    data = {"username": name, "password": password}
    return (browser or Client()).post(f"{LOGIN}?next=/admin/", data).status_code


def test_a_login_and_a_logout(superuser: User) -> None:
    browser = Client()

    assert log_in("ROOT", PASSWORD, browser) == 302
    browser.post("/admin/logout/")

    assert rows() == [
        ("admin.login", "root", superuser.pk, "127.0.0.1"),
        ("admin.logout", "root", superuser.pk, "127.0.0.1"),
    ]


@pytest.mark.parametrize(
    ("name", "told"), [("root", "root"), ("ROOT", "root"), ("my-typed-password", "(unknown name)")]
)
def test_a_wrong_password_or_name(superuser: User, name: str, told: str) -> None:
    assert log_in(name, "wrong") == 200

    assert rows() == [("admin.login_failed", told, None, "127.0.0.1")]
    entry = Entry.objects.get()
    assert "wrong username or password" in entry.sentence
    assert entry.target_id == ("" if told == "(unknown name)" else str(superuser.pk))
    assert "my-typed-password" not in str(Entry.objects.values().get())


@pytest.mark.parametrize("name", ["alice", "gone"])
def test_a_right_password_that_opens_no_admin(alice: User, name: str) -> None:
    UserFactory(username="gone", is_staff=True, is_active=False)

    assert log_in(name, PASSWORD) == 200

    assert rows() == [("admin.login_failed", name, None, "127.0.0.1")]
    assert "the password is right" in Entry.objects.get().sentence


@pytest.mark.parametrize("name", ["root", "my-typed-password"])
def test_a_lockout_is_one_row_however_many_logins_it_refuses(superuser: User, name: str) -> None:
    answers = [log_in(name, "wrong") for _ in range(12)]
    answers.append(log_in(name, PASSWORD))

    assert answers == [200] * 5 + [429] * 8
    told = "root" if name == "root" else "(unknown name)"
    assert rows() == [
        *[("admin.login_failed", told, None, "127.0.0.1")] * 5,
        ("admin.login_locked", told, None, "127.0.0.1"),
    ]
    assert "my-typed-password" not in str(list(Entry.objects.values()))


def test_the_next_lockout_is_one_more_row(superuser: User, time_machine: TimeMachineFixture) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for minutes in (0, 20):
        time_machine.move_to(noon + timedelta(minutes=minutes))
        for _ in range(8):
            log_in("root", "wrong")

    acts = [act for act, *_ in rows()]
    assert acts == [*["admin.login_failed"] * 5, "admin.login_locked"] * 2


def test_a_lockout_that_the_api_began_is_one_row_too(client: APIClient, superuser: User) -> None:
    for _ in range(5):
        client.post("/auth/login", {"username": "root", "password": "wrong"})
    assert rows() == []

    assert [log_in("root", PASSWORD) for _ in range(3)] == [429] * 3

    assert rows() == [("admin.login_locked", "root", None, "127.0.0.1")]


def test_what_is_typed_while_somebody_else_is_logged_in_is_not_put_down_to_them(
    superuser: User, alice: User
) -> None:
    browser = Client()
    browser.force_login(superuser, backend="accounts.backends.AccountBackend")
    for _ in range(6):
        log_in("alice", "wrong", browser)

    assert rows()[-1] == ("admin.login_locked", "alice", None, "127.0.0.1")


def test_a_wrong_old_password_counts_and_its_lockout_is_one_row(superuser: User) -> None:
    browser = Client()
    browser.force_login(superuser, backend="accounts.backends.AccountBackend")
    new = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}

    pages = [browser.post("/admin/password_change/", {"old_password": "wrong", **new}) for _ in range(5)]
    locked = [browser.post("/admin/password_change/", {"old_password": PASSWORD, **new}) for _ in range(3)]

    assert [page.status_code for page in pages + locked] == [200] * 5 + [429] * 3
    assert 0 < int(locked[0].headers["Retry-After"]) <= 900
    assert "Too many failed logins" in locked[0].content.decode()
    assert rows() == [("admin.login_locked", "root", None, "127.0.0.1")]
    superuser.refresh_from_db()
    assert superuser.check_password(PASSWORD)
    assert log_in("root", PASSWORD) == 429


@pytest.mark.parametrize("name", ["", "x" * 1000, "a\nb", "\u2028", "a\0b"])
def test_no_name_breaks_the_trail(name: str) -> None:
    assert log_in(name, "wrong") == 200

    assert rows() == [("admin.login_failed", "(unknown name)", None, "127.0.0.1")]


def test_a_name_with_control_characters_is_one_line(superuser: User, desk: Client) -> None:
    User.objects.filter(pk=superuser.pk).update(username="ro\not\u2028" + "x" * 80)

    desk.post("/admin/logout/")

    assert rows() == [("admin.logout", "ro\\not\\u2028" + "x" * 80, superuser.pk, "127.0.0.1")]


def test_no_password_is_kept(superuser: User) -> None:
    log_in("root", "a-secret-mistake")

    entry = Entry.objects.get()
    assert "a-secret-mistake" not in str(Entry.objects.values().get(pk=entry.pk))


def test_logins_to_the_api_are_no_rows(client: APIClient, superuser: User) -> None:
    client.post("/auth/login", {"username": "root", "password": PASSWORD})
    client.post("/auth/login", {"username": "root", "password": "wrong"})

    assert rows() == []


def test_looking_at_the_login_page_is_no_row() -> None:
    Client().get(LOGIN)
    Client().post("/admin/logout/")

    assert rows() == []


def test_an_own_password_change(superuser: User) -> None:
    browser = Client()
    browser.force_login(superuser, backend="accounts.backends.AccountBackend")
    new = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}

    browser.post("/admin/password_change/", {"old_password": "wrong", **new})
    assert rows() == []
    browser.post("/admin/password_change/", {"old_password": PASSWORD, **new})

    (entry,) = Entry.objects.all()
    assert (entry.act, entry.target_label, entry.actor_name) == ("password.set", "root", "root")
    assert NEW_PASSWORD not in str(Entry.objects.values().get())


def test_where_no_row_can_be_written_nobody_is_let_in(
    superuser: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("aimessage.audit.acting.append_entries", fail)
    browser = Client(raise_request_exception=False)

    assert log_in("root", PASSWORD, browser) == 500
    assert browser.get("/admin/").status_code == 302
