"""A user's page and what is done there, the actions of the list, and deletions."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import FailedLogin, PendingDeletion, Role, Session, User
from accounts.services.leaving import request_deletion
from accounts.services.roles import assign_roles
from accounts.services.users import disable_user
from accounts.tests.test_admin import USERS, act, form_of
from aimessage.audit.models import Entry
from conftest import ApiClient
from messaging.models import Block, Message
from reports.models import Report
from reports.services import claim_report, file_report, moderate_report
from tests.factories import (
    PASSWORD,
    BlockFactory,
    FailedLoginFactory,
    MessageFactory,
    PersonalTokenFactory,
    SessionFactory,
    UserFactory,
)


def page_of(user: User) -> str:
    return f"{USERS}{user.pk}/change/"


def press(desk: Client, user: User, name: str, **sent: object) -> str:
    return desk.post(f"{USERS}{user.pk}/{name}/", sent, follow=True).content.decode()


def history(user: User) -> list[tuple[str, str]]:
    entries = Entry.objects.about("accounts.user", user.pk).order_by("pk")
    return [(entry.actor_name, entry.sentence) for entry in entries]


def lock_out(user: User, address: str) -> None:
    FailedLoginFactory.create_batch(5, user=user, ip_address=address)


def test_the_page_shows_sessions_lockouts_reports_roles_and_history(
    desk: Client, superuser: User, alice: User, bob: User
) -> None:
    SessionFactory(user=bob, device_info="Pixel 9", ip_address="192.0.2.1")
    SessionFactory(user=bob, device_info="old phone", is_active=False)
    lock_out(bob, "192.0.2.7")
    message = MessageFactory(sender=bob, recipient=alice, content="You are a fool.")
    file_report(alice, title="Insults", content="c", message_id=message.pk)
    file_report(bob, title="Lag", content="c")
    assign_roles(bob, Group.objects.filter(name="moderator"), actor=superuser)
    press(desk, bob, "unlock", address="192.0.2.7")
    lock_out(bob, "192.0.2.8")

    page = desk.get(page_of(bob)).content.decode()

    for shown in (
        "Pixel 9",
        "192.0.2.1",
        "Locked out from 192.0.2.8",
        "Insults",
        "Lag",
        "Lifted the lockout from 192.0.2.7.",
    ):
        assert shown in page
    assert "Reported <strong>1 time</strong>" in page
    assert "/admin/accounts/role/" in page
    for hidden in ("old phone", "Locked out from 192.0.2.7", "You are a fool."):
        assert hidden not in page


def test_a_page_about_somebody_with_nothing(desk: Client, bob: User) -> None:
    page = desk.get(page_of(bob)).content.decode()

    for shown in (
        "Logged in nowhere.",
        "Not locked out.",
        "Reported <strong>0 times</strong>",
        "Never logged in",
    ):
        assert shown in page


def test_it_shows_personal_tokens_that_work_and_revokes_one(
    desk: Client, bob: User, alice: User, as_program: ApiClient
) -> None:
    first, second = as_program(bob, "profile:read"), as_program(bob, "people:read", "people:write")
    others = as_program(alice, "profile:read")
    PersonalTokenFactory(user=bob, name="Revoked one", revoked_at=timezone.now())
    first.get("/auth/me")

    page = desk.get(page_of(bob)).content.decode()
    for shown in (first.raw_token[:10], second.raw_token[:10], "people:read, people:write", "never used"):
        assert shown in page
    assert "Revoked one" not in page
    assert first.raw_token not in page

    answer = press(desk, bob, "revoke-token", token=first.token_row.pk)
    assert f"Revoked personal token {first.token_row.pk}." in answer
    assert history(bob) == [("root", f"Revoked personal token {first.token_row.pk}.")]
    assert first.get("/auth/me").status_code == 401
    assert second.get("/auth/directory?search=al").status_code == 200

    for token in (first.token_row.pk, others.token_row.pk, "x", ""):
        assert "This token is dead already" in press(desk, bob, "revoke-token", token=token)
    assert others.get("/auth/me").status_code == 200


def test_one_session_is_ended(desk: Client, bob: User, as_user: ApiClient) -> None:
    first, second = as_user(bob), as_user(bob)

    assert f"Ended session {first.session_row.pk}." in press(
        desk, bob, "end-session", session=first.session_row.pk
    )

    assert first.get("/auth/me").status_code == 401
    assert second.get("/auth/me").status_code == 200
    assert history(bob) == [("root", f"Ended session {first.session_row.pk}.")]


@pytest.mark.parametrize("session", ["", "x", "0", "9" * 30, "other's"])
def test_a_session_that_is_not_the_users_stays(
    desk: Client, alice: User, bob: User, as_user: ApiClient, session: str
) -> None:
    alices = as_user(alice)
    sent = alices.session_row.pk if session == "other's" else session

    assert "This session has ended already." in press(desk, bob, "end-session", session=sent)

    assert alices.get("/auth/me").status_code == 200
    assert history(bob) == []


def test_all_sessions_are_ended(desk: Client, bob: User, as_user: ApiClient) -> None:
    first, second = as_user(bob), as_user(bob)

    assert "Ended every session." in press(desk, bob, "end-sessions")

    assert first.get("/auth/me").status_code == second.get("/auth/me").status_code == 401


def test_a_lockout_is_lifted_at_one_address(desk: Client, bob: User, client: APIClient) -> None:
    for address in ("127.0.0.1", "192.0.2.8"):
        lock_out(bob, address)
    login = {"username": "bob", "password": PASSWORD}
    assert client.post("/auth/login", login).status_code == 429

    assert "Lifted the lockout from 127.0.0.1." in press(desk, bob, "unlock", address="127.0.0.1")

    assert client.post("/auth/login", login).status_code == 200
    assert "There is no such lockout any more." in press(desk, bob, "unlock", address="127.0.0.1")
    assert FailedLogin.objects.count() == 5


def test_a_pending_deletion_is_shown_and_withdrawn(desk: Client, bob: User) -> None:
    assert "Will be deleted" not in desk.get(page_of(bob)).content.decode()
    deletion_at = request_deletion(bob, erases=True)
    page = desk.get(page_of(bob)).content.decode()
    assert f"Will be deleted on {deletion_at:%Y-%m-%d %H:%M} UTC" in page
    assert "goes, too" in page

    page = press(desk, bob, "withdraw-deletion")

    assert "Withdrew the deletion." in page
    assert "Will be deleted" not in page
    assert ("root", "Withdrew the deletion.") in history(bob)
    bob.refresh_from_db()
    assert bob.is_active
    assert "is not to be deleted" in press(desk, bob, "withdraw-deletion")
    request_deletion(bob, erases=False)
    PendingDeletion.objects.update(deletion_at=timezone.now() - timedelta(hours=1))
    assert "its time has come" in press(desk, bob, "withdraw-deletion")
    assert PendingDeletion.objects.filter(user=bob).exists()


def test_enabling_withdraws_a_pending_deletion(desk: Client, bob: User) -> None:
    request_deletion(bob, erases=True)
    act(desk, "enable", bob)

    bob.refresh_from_db()
    assert bob.is_active
    assert not PendingDeletion.objects.exists()


@pytest.mark.parametrize("address", ["", "nonsense", "1.2.3", "::1", "\U0001f600"])
def test_a_crafted_address_lifts_nothing(desk: Client, bob: User, address: str) -> None:
    lock_out(bob, "192.0.2.8")

    assert "There is no such " in press(desk, bob, "unlock", address=address)

    assert FailedLogin.objects.count() == 5


def test_a_page_that_is_out_of_date_undoes_nothing(desk: Client, superuser: User, bob: User) -> None:
    stale = form_of(bob, full_name="Robert")
    disable_user(bob, actor=superuser)
    User.objects.filter(pk=bob.pk).update(bio="Changed meanwhile.")

    desk.post(page_of(bob), stale)

    bob.refresh_from_db()
    assert (bob.full_name, bob.bio, bob.is_active) == ("Robert", "Changed meanwhile.", False)


# --- Actions, which ask first ---


@pytest.mark.parametrize(
    ("action", "question"),
    [
        ("disable", "Disable 2 users?"),
        ("grant_superuser", "Make 2 users superuser?"),
        ("end_sessions", "End every session of 2 users?"),
        ("give_role", "Give a role to 2 users?"),
    ],
)
def test_what_hurts_asks_first(desk: Client, alice: User, bob: User, action: str, question: str) -> None:
    sessions = [SessionFactory(user=user) for user in (alice, bob)]

    page = desk.post(USERS, {"action": action, "_selected_action": [alice.pk, bob.pk]}).content.decode()

    assert question in page
    for user in (alice, bob):
        assert f'value="{user.pk}"' in page
        user.refresh_from_db()
        assert (user.is_active, user.is_superuser, user.groups.count()) == (True, False, 0)
    assert Session.objects.live().count() == len(sessions)
    assert not Entry.objects.exists()


def test_the_question_leaves_out_whom_it_would_not_touch(
    desk: Client, superuser: User, ruler: User, alice: User, bob: User
) -> None:
    disable_user(bob, actor=superuser)
    selected = [alice.pk, bob.pk, superuser.pk]

    page = desk.post(USERS, {"action": "disable", "_selected_action": selected}).content.decode()
    none = desk.post(
        USERS, {"action": "withdraw_superuser", "_selected_action": selected}, follow=True
    ).content.decode()

    assert "Disable 1 user?" in page
    assert "2 of the selected are left as they are: disabled already, or yourself." in page
    assert "Nothing to do: the selected users are no superusers, or yourself." in none


@pytest.mark.parametrize(
    "action",
    ["disable", "enable", "unlock", "end_sessions", "give_role", "grant_superuser", "delete_selected"],
)
def test_an_action_touches_no_more_than_can_be_read(
    desk: Client, superuser: User, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    users = UserFactory.create_batch(3, is_active=False)
    monkeypatch.setattr("aimessage.backoffice.lists.BULK_LIMIT", 2)
    crafted = {"action": action, "_selected_action": [users[0].pk], "select_across": "1"}
    role = Role.objects.get().pk

    page = desk.post(USERS, {**crafted, "confirmed": "yes", "post": "yes", "role": role}, follow=True)

    assert "Select at most 2 users at a time." in page.content.decode()
    assert User.objects.filter(is_active=False, is_superuser=False, groups=None).count() == 3
    assert not Entry.objects.exists()


def test_a_role_is_given_to_several(desk: Client, alice: User, bob: User) -> None:
    role = Role.objects.get(name="moderator")
    data = {"action": "give_role", "_selected_action": [alice.pk, bob.pk], "confirmed": "yes"}

    assert "This field is required" in desk.post(USERS, data).content.decode()
    assert "Select a valid choice" in desk.post(USERS, {**data, "role": "x"}).content.decode()
    page = desk.post(USERS, {**data, "role": role.pk}, follow=True).content.decode()

    assert "2 users given the role moderator." in page
    for user in (alice, bob):
        user.refresh_from_db()
        assert (list(user.groups.all()), user.is_staff) == ([role.group_ptr], True)
        assert history(user) == [("root", "Given the role moderator.")]


def test_lockouts_of_several_are_lifted(desk: Client, alice: User, bob: User) -> None:
    assert "None of the selected users is locked out." in act(desk, "unlock", alice, bob)
    for address in ("192.0.2.7", "192.0.2.8"):
        lock_out(bob, address)

    assert "1 user unlocked." in act(desk, "unlock", alice, bob)

    assert not FailedLogin.objects.exists()
    assert (history(alice), history(bob)) == ([], [("root", "Unlocked.")])


# --- The last superuser, and oneself ---


@pytest.mark.parametrize("way", ["form", "action", "page", "bulk"])
def test_the_last_superuser_stays_on_every_path(desk: Client, superuser: User, way: str) -> None:
    """Crafted, since the pages offer most of it to nobody about himself."""
    selected = {"_selected_action": [superuser.pk], "confirmed": "yes", "post": "yes"}
    posts = {
        "form": [
            (page_of(superuser), form_of(superuser, is_active=False)),
            (page_of(superuser), form_of(superuser, is_superuser=False)),
        ],
        "action": [(USERS, {"action": name, **selected}) for name in ("disable", "withdraw_superuser")],
        "page": [(f"{USERS}{superuser.pk}/delete/", {"post": "yes"})],
        "bulk": [(USERS, {"action": "delete_selected", **selected})],
    }

    for url, data in posts[way]:
        assert "yourself" in desk.post(url, data, follow=True).content.decode()

    assert list(User.objects.superusers()) == [superuser]


# --- Deletion ---


@pytest.fixture
def busy(superuser: User, alice: User, bob: User, as_user: ApiClient) -> User:
    """bob, who leaves something behind everywhere."""
    as_user(bob)
    sent = MessageFactory(sender=bob, recipient=alice, content="Sent words.")
    MessageFactory(sender=alice, recipient=bob, content="Received words.")
    BlockFactory(blocker=bob)
    BlockFactory(blocked=bob)
    file_report(alice, title="about him", content="c", message_id=sent.pk)
    file_report(bob, title="by him", content="c")
    resolved, _ = file_report(alice, title="resolved", content="c")
    moderate_report(resolved, actor=bob, status="resolved")
    claimed, _ = file_report(alice, title="claimed", content="c")
    claim_report(claimed, actor=bob)
    return bob


def test_a_deletion_says_what_goes_and_what_stays_and_keeps_its_word(desk: Client, busy: User) -> None:
    page = desk.get(f"{USERS}{busy.pk}/delete/").content.decode()

    goes, stays = page.split('id="goes"')[1].split('id="stays"')
    for line in (
        "1 session, live or ended",
        "1 refresh token",
        "1 block of others",
        "1 block by others",
        "1 place in a conversation",
    ):
        assert line in goes
    for line in (
        "1 message sent",
        "1 message received",
        "1 report filed",
        "1 report about what was sent",
        "1 report resolved",
        "1 report in progress",
    ):
        assert line in stays
    for private in ("Sent words.", "Received words.", "about him", "by him"):
        assert private not in page

    desk.post(f"{USERS}{busy.pk}/delete/", {"post": "yes"})

    assert not Session.objects.exists()
    assert not Block.objects.exists()
    assert set(Message.objects.values_list("content", flat=True)) == {"Sent words.", "Received words."}
    about = Report.objects.get(title="about him")
    assert (about.message_content, about.message_sender) == ("Sent words.", None)
    assert Report.objects.filter(title="by him", reporter=None).exists()
    assert Report.objects.filter(title="resolved", resolved_by=None).exists()
    assert Report.objects.filter(title="claimed", assigned_to=None).exists()


def test_a_deletion_of_several_says_it_of_all(desk: Client, busy: User, carol: User) -> None:
    SessionFactory(user=carol)
    data = {"action": "delete_selected", "_selected_action": [busy.pk, carol.pk]}

    page = desk.post(USERS, data).content.decode()

    assert "Delete 2 users?" in page
    assert "2 sessions, live or ended" in page
    assert "Sent words." not in page
    assert User.objects.filter(pk__in=[busy.pk, carol.pk]).count() == 2

    assert (
        "Successfully deleted 2 users."
        in desk.post(USERS, {**data, "post": "yes"}, follow=True).content.decode()
    )
    assert not User.objects.filter(pk__in=[busy.pk, carol.pk]).exists()


def test_a_deletion_page_asks_as_much_for_many_messages(
    desk: Client, alice: User, bob: User, django_assert_num_queries: Callable[..., object]
) -> None:
    # the admin's session, its user; bob; sixteen bounded counts
    with django_assert_num_queries(21):
        desk.get(f"{USERS}{bob.pk}/delete/")
    for _ in range(20):
        MessageFactory(sender=bob, recipient=alice)
    with django_assert_num_queries(21):
        desk.get(f"{USERS}{bob.pk}/delete/")


def test_deleting_a_role_says_who_holds_it(desk: Client, superuser: User, moderator: User, bob: User) -> None:
    role, idle = Role.objects.get(name="moderator"), Role.objects.create(name="idle")
    assign_roles(bob, [role], actor=superuser)

    page = desk.get(f"/admin/accounts/role/{role.pk}/delete/").content.decode()
    both = desk.post(
        "/admin/accounts/role/", {"action": "delete_selected", "_selected_action": [role.pk, idle.pk]}
    ).content.decode()

    for shown in (page, both):
        assert "The role moderator, which 2 users hold: " in shown
        assert "moderator, bob" in shown or "bob, moderator" in shown
        assert "whom no other role lets in" in shown
    assert "The role idle, which nobody holds" in both
    assert Role.objects.count() == 2
