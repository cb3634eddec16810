"""The second factor at the admin's door, and on its pages."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import FailedLogin, SecondFactor, Session, User
from accounts.tests.factors import Phone, enrol
from aimessage.audit.models import Entry
from tests.factories import PASSWORD, SessionFactory

PAGE = "/admin/second-factor/"


def enter(code: str | None = None, username: str = "root", password: str = PASSWORD) -> Any:
    form = {"username": username, "password": password}
    return Client().post("/admin/login/", form if code is None else {**form, "code": code})


def said() -> list[str]:
    return [entry.sentence for entry in Entry.objects.order_by("pk")]


# --- The door ---


def test_the_form_has_a_field_for_the_code(db: None) -> None:
    page = Client().get("/admin/login/").content.decode()

    assert 'name="code"' in page
    assert 'autocomplete="one-time-code"' in page


def test_without_a_second_factor_no_code_is_needed(superuser: User) -> None:
    assert enter().status_code == 302


def test_the_right_password_alone_opens_nothing(superuser: User) -> None:
    enrol(superuser)
    FailedLogin.objects.create(user=superuser, name_digest="x", path_info="/")

    answer = enter()

    assert answer.status_code == 200
    assert "code of your authenticator app" in answer.content.decode()
    assert "sessionid" not in answer.cookies
    assert FailedLogin.objects.count() == 1
    assert said() == ["Asked for the code of the second factor: the password is right."]


def test_the_code_opens_it_once(superuser: User) -> None:
    phone, codes = enrol(superuser)
    code = phone.code()

    assert enter(code).status_code == 302
    assert enter(code).status_code == 200
    assert enter(codes[0]).status_code == 302
    assert enter(codes[0]).status_code == 200


def test_a_wrong_code_counts_as_a_failed_login(superuser: User) -> None:
    phone, _ = enrol(superuser)
    for _ in range(5):
        answer = enter(phone.wrong())
        assert "Incorrect code" in answer.content.decode()

    assert FailedLogin.objects.filter(user=superuser).count() == 5
    assert enter(phone.code()).status_code == 429
    assert said()[0] == "Refused a login: the password is right, the code of the second factor is not."


def test_a_wrong_password_says_nothing_of_the_code(superuser: User) -> None:
    phone, _ = enrol(superuser)

    answer = enter(phone.code(), password="wrong-password-9")

    assert "correct username and password" in answer.content.decode()
    assert enter(phone.code()).status_code == 302


def test_both_doors_count_wrong_codes_together(client: Any, superuser: User, settings: Settings) -> None:
    settings.LOCKOUT_FAILURES = 0
    phone, _ = enrol(superuser)
    for _ in range(5):
        enter(phone.wrong())
        client.post("/auth/login", {"username": "root", "password": PASSWORD, "code": phone.wrong()})

    answer = enter(phone.code())
    assert answer.status_code == 429
    assert answer["Retry-After"]
    enter(phone.code())
    assert [entry.act for entry in Entry.objects.all()].count("admin.login_locked") == 1


def test_after_fifty_wrong_codes_the_door_says_so(superuser: User) -> None:
    phone, _ = enrol(superuser)
    SecondFactor.objects.filter(user=superuser).update(failures=50)

    assert "Too many wrong codes: reset your password" in enter(phone.code()).content.decode()


@pytest.mark.parametrize("code", ["x" * 65, "\0", "🔑", "' OR 1=1", "١٢٣٤٥٦"])
def test_no_code_makes_it_fall_over(superuser: User, code: str) -> None:
    enrol(superuser)

    assert enter(code).status_code == 200


# --- The page ---


def send(desk: Client, act: str, **form: str) -> str:
    answer = desk.post(PAGE, {"act": act, **form})
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_it_is_set_up_there(desk: Client, superuser: User) -> None:
    SessionFactory(user=superuser)
    page = send(desk, "begin", current_password=PASSWORD)
    secret = re.search(r"Secret: <code>(\w{32})</code>", page)
    assert secret
    assert "<svg" in page
    phone = Phone(secret[1])

    again = send(desk, "confirm", code=phone.wrong())
    assert "Incorrect code" in again
    assert secret[1] in again
    done = send(desk, "confirm", code=phone.code())

    assert len(re.findall(r"<code>[A-Z]{5}-[A-Z]{5}</code>", done)) == 10
    assert not Session.objects.live().exists()
    assert "On since" in desk.get(PAGE).content.decode()
    assert secret[1] not in desk.get(PAGE).content.decode()
    assert "Turned two-factor login on." in said()


def test_it_is_turned_off_there(desk: Client, superuser: User) -> None:
    phone, _ = enrol(superuser)

    assert "Incorrect code" in send(desk, "remove", current_password=PASSWORD, code=phone.wrong())
    assert "Current password is incorrect" in send(
        desk, "remove", current_password="wrong-password-9", code=phone.code()
    )
    assert "Two-factor login is off." in send(desk, "remove", current_password=PASSWORD, code=phone.code())

    assert not SecondFactor.objects.exists()
    assert FailedLogin.objects.count() == 0
    assert "Turned two-factor login off." in said()


def test_new_recovery_codes_are_made_there(desk: Client, superuser: User) -> None:
    _, codes = enrol(superuser)

    page = send(desk, "renew", current_password=PASSWORD, code=codes[0])

    new = re.findall(r"<code>([A-Z]{5}-[A-Z]{5})</code>", page)
    assert len(new) == 10
    assert not set(new) & set(codes)


def test_wrong_guesses_there_count(desk: Client, superuser: User) -> None:
    for _ in range(5):
        send(desk, "begin", current_password="wrong-password-9")

    answer = desk.post(PAGE, {"act": "begin", "current_password": PASSWORD})
    assert answer.status_code == 429
    assert FailedLogin.objects.count() == 5


@pytest.mark.parametrize("act", ["", "begin", "confirm", "renew", "remove", "nonsense"])
def test_whatever_is_sent_it_answers_with_the_page(desk: Client, superuser: User, act: str) -> None:
    forms = [{}, {"current_password": "x"}, {"code": "\0"}, {"current_password": PASSWORD, "code": "x" * 99}]
    for form in forms:
        assert "Two-factor login" in send(desk, act, **form)

    assert desk.put(PAGE).status_code == 405
    assert Client().get(PAGE).status_code == 302


# --- Required ---

PAGES = ["/admin/", "/admin/accounts/user/", "/admin/password_change/", "/admin/audit/entry/", "/admin/nope/"]


@pytest.mark.parametrize("who", ["superuser", "moderator"])
def test_whoever_has_none_comes_to_the_page_and_no_further(
    browser_of: Callable[[User], Client], settings: Settings, request: pytest.FixtureRequest, who: str
) -> None:
    settings.ADMIN_MFA = "required"
    user: User = request.getfixturevalue(who)
    browser = browser_of(user)
    for page in PAGES:
        for answer in (browser.get(page), browser.post(page, {"action": "disable"})):
            assert (answer.status_code, answer["Location"]) == (302, PAGE)

    assert "set it up first" in browser.get(PAGE).content.decode()
    enrol(user)
    assert browser.get("/admin/").status_code == 200


def test_whoever_has_none_can_log_out(desk: Client, settings: Settings) -> None:
    settings.ADMIN_MFA = "required"

    assert desk.post("/admin/logout/").status_code == 200
    assert desk.get(PAGE).status_code == 302
    assert "/admin/login/" in desk.get(PAGE)["Location"]


def test_it_is_optional_by_default(desk: Client) -> None:
    assert desk.get("/admin/").status_code == 200


# --- A user's page ---


def test_a_superuser_sees_and_removes_a_second_factor(
    desk: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(
        "accounts.services.second_factor.notify", lambda user, kind, **more: told.append(kind)
    )
    url = f"/admin/accounts/user/{alice.pk}/"
    assert "Two-factor login is off" in desk.get(f"{url}change/").content.decode()
    enrol(alice)
    SessionFactory(user=alice)
    told.clear()
    assert "10 recovery codes left" in desk.get(f"{url}change/").content.decode()

    desk.post(f"{url}remove-second-factor/")

    assert not SecondFactor.objects.exists()
    assert not Session.objects.live().exists()
    assert told == ["second_factor_off"]
    entry = Entry.objects.first()
    assert entry is not None
    assert (entry.act, entry.target_id) == ("user.second_factor_removed", str(alice.pk))
    assert (entry.before["second_factor"], entry.after["second_factor"]) == (True, False)


def test_nobody_removes_their_own_without_proof(desk: Client, superuser: User) -> None:
    enrol(superuser)

    answer = desk.post(f"/admin/accounts/user/{superuser.pk}/remove-second-factor/", follow=True)

    assert "on its page alone" in answer.content.decode()
    assert SecondFactor.objects.exists()


def test_a_moderator_removes_none(browser_of: Callable[[User], Client], moderator: User, alice: User) -> None:
    enrol(alice)

    answer = browser_of(moderator).post(f"/admin/accounts/user/{alice.pk}/remove-second-factor/")

    assert answer.status_code == 403
    assert SecondFactor.objects.exists()


# --- One's own password ---


def change(desk: Client, **code: str) -> Any:
    new = "amber-kettle-77"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    return desk.post("/admin/password_change/", {**form, **code})


def test_a_new_password_takes_a_code(desk: Client, superuser: User) -> None:
    phone, codes = enrol(superuser)
    assert 'name="code"' in desk.get("/admin/password_change/").content.decode()

    for code in ({}, {"code": phone.wrong()}, {"code": "BCDFG-HJKLM"}, {"code": "\0"}):
        answer = change(desk, **code)
        assert answer.status_code == 200
        superuser.refresh_from_db()
        assert superuser.check_password(PASSWORD)
    assert "Incorrect code" in answer.content.decode()

    assert change(desk, code=codes[0]).status_code == 302
    superuser.refresh_from_db()
    assert superuser.check_password("amber-kettle-77")


def test_without_a_second_factor_it_takes_none(desk: Client, superuser: User) -> None:
    assert 'name="code"' not in desk.get("/admin/password_change/").content.decode()
    assert change(desk).status_code == 302


def test_every_other_session_of_the_admin_ends(
    browser_of: Callable[[User], Client], desk: Client, superuser: User
) -> None:
    other = browser_of(superuser)
    page = send(desk, "begin", current_password=PASSWORD)
    secret = re.search(r"Secret: <code>(\w{32})</code>", page)
    assert secret

    send(desk, "confirm", code=Phone(secret[1]).code())

    assert other.get("/admin/").status_code == 302
    assert desk.get("/admin/").status_code == 200
