"""What the services about accounts and sessions refuse, write and leave alone, to the letter."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError
from pytest_django import Settings
from time_machine import TimeMachineFixture

from accounts.events import EndReason
from accounts.models import RefreshToken, Role, Session, User
from accounts.services import sessions, users
from accounts.services.roles import assign_roles, delete_role, give_role, update_staff_flag
from accounts.services.sessions import end_sessions, log_out, open_session, refresh_session
from accounts.services.users import (
    delete_user,
    disable_user,
    enable_user,
    save_unique,
    set_password,
    withdraw_superuser,
)
from accounts.tokens import digest
from aimessage.api.problems import DomainError, Forbidden, Invalid, Unauthenticated
from aimessage.server.tests.scraping import Change
from conftest import ApiClient
from tests.factories import SessionFactory, UserFactory

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
USELESS = "Refresh token is invalid or expired"

pytestmark = pytest.mark.django_db

Committed = Callable[[], AbstractContextManager[Any]]


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Committed:
    """What happens within is as good as committed, and so counted."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def refusal(error: Any) -> tuple[str, str | None]:
    said: DomainError = error.value
    return said.detail, said.field


# --- A session opens ---


def disable(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(user: User) -> None:
    other = User.objects.get(pk=user.pk)
    set_password(other, "amber-kettle-77")


def delete(user: User) -> None:
    User.objects.filter(pk=user.pk).delete()


@pytest.mark.parametrize("meanwhile", [disable, change_password, delete])
def test_no_session_for_whoever_changed_since_the_password_was_checked(alice: User, meanwhile: Any) -> None:
    meanwhile(alice)
    counted = Change()

    with pytest.raises(Unauthenticated) as error:
        open_session(alice)

    assert refusal(error) == ("Incorrect username or password", None)
    assert not Session.objects.exists()
    assert counted.of("logins_total") == {("logins_total", "api", "wrong"): 1}


def test_a_session_says_whose_from_where_with_what_since_when(
    alice: User, committed: Committed, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    counted = Change()

    with committed():
        made, _ = open_session(alice, device_info=f"Phone\n{'x' * 300}", ip_address="192.0.2.7")

    session = Session.objects.get()
    assert session == made
    assert session.device_info == f"Phone\\n{'x' * 248}"
    assert (session.user, session.ip_address, session.is_active) == (alice, "192.0.2.7", True)
    assert session.created_at == session.last_used_at == NOON
    assert len(bytes.fromhex(session.session_token)) == 32
    alice.refresh_from_db()
    assert alice.last_login == NOON
    assert counted.of("logins_total") == {("logins_total", "api", "success"): 1}


@pytest.mark.parametrize("device", [None, ""])
def test_a_client_without_a_name_has_none(alice: User, device: str | None) -> None:
    assert open_session(alice, device_info=device)[0].device_info is None


def test_every_session_has_a_row_of_its_own(alice: User) -> None:
    first, second = open_session(alice)[0], open_session(alice)[0]

    assert first.pk != second.pk
    assert first.session_token != second.session_token


def test_a_login_sweeps_what_is_dead_of_the_same_user(
    alice: User, bob: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    month = timedelta(days=30)
    for user in (alice, bob):
        for ago in (month, month + timedelta(seconds=1)):
            ended = SessionFactory(user=user, is_active=False)
            over = SessionFactory(user=user)
            Session.objects.filter(pk=ended.pk).update(last_used_at=NOON - ago)
            Session.objects.filter(pk=over.pk).update(expires_at=NOON - ago)
        live = SessionFactory(user=user)
        for seconds in (-1, 0, 1):
            RefreshToken.objects.create(
                user=user,
                session=live,
                token=digest(f"{user.pk} {seconds}"),
                expires_at=NOON + timedelta(seconds=seconds),
            )

    open_session(alice)

    assert Session.objects.filter(user=alice).count() == 2 + 1 + 1
    assert Session.objects.filter(user=bob).count() == 4 + 1
    assert RefreshToken.objects.filter(user=alice).count() == 2 + 1
    assert RefreshToken.objects.filter(user=bob).count() == 3


# --- A session goes on ---


def with_claims(token: str, settings: Settings, **changed: Any) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode({**claims, **changed}, settings.JWT_KEYS[0], algorithm="HS256")


def test_a_refresh_token_is_good_for_its_own_user_and_session_alone(
    alice: User, bob: User, settings: Settings, committed: Committed
) -> None:
    _, mine = open_session(alice)
    other, _ = open_session(alice)
    foreign, _ = open_session(bob)
    counted = Change()

    for changed in (
        {"sub": str(bob.pk)},
        {"sid": foreign.session_token},
        {"sid": foreign.session_token, "sub": str(bob.pk)},
        {"sid": other.session_token},
    ):
        with committed(), pytest.raises(Unauthenticated) as error:
            refresh_session(with_claims(mine.refresh_token, settings, **changed))
        assert refusal(error) == (USELESS, None)
    with committed(), pytest.raises(Unauthenticated) as error:
        refresh_session("no token")

    assert refusal(error) == (USELESS, None)
    assert counted.of("refreshes_total") == {
        ("refreshes_total", "ended"): 2,
        ("refreshes_total", "replayed"): 2,
        ("refreshes_total", "invalid"): 1,
    }
    assert Session.objects.live().count() == 3


def test_a_refresh_token_of_another_session_of_ones_own_is_not_used_up(
    alice: User, settings: Settings
) -> None:
    _, mine = open_session(alice)
    other, _ = open_session(alice)
    # As it would be had the same text been handed out for both.
    forged = with_claims(mine.refresh_token, settings, sid=other.session_token)
    RefreshToken.objects.filter(token=digest(mine.refresh_token)).update(token=digest(forged))

    with pytest.raises(Unauthenticated):
        refresh_session(forged)

    assert not RefreshToken.objects.filter(is_used=True).exists()


def test_a_refresh_says_when(alice: User, committed: Committed, time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOON, tick=False)
    session, tokens = open_session(alice)
    later = NOON + timedelta(hours=1)
    time_machine.move_to(later, tick=False)
    counted = Change()

    with committed():
        refresh_session(tokens.refresh_token)

    used = RefreshToken.objects.get(token=digest(tokens.refresh_token))
    assert (used.is_used, used.used_at, used.updated_at) == (True, later, later)
    session.refresh_from_db()
    assert session.last_used_at == session.updated_at == later
    assert session.expires_at == later + timedelta(days=7)
    assert counted.of("refreshes_total") == {("refreshes_total", "ok"): 1}


# --- Sessions end ---


def test_ending_dates_those_that_were_live_and_counts_them(
    alice: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    dead = SessionFactory(user=alice, is_active=False)
    live = [SessionFactory(user=alice) for _ in range(2)]
    later = NOON + timedelta(hours=1)
    time_machine.move_to(later, tick=False)

    assert end_sessions(Session.objects.all(), reason=EndReason.ADMIN) == 2

    for session, at in ((dead, NOON), *((one, later) for one in live)):
        session.refresh_from_db()
        assert (session.is_active, session.updated_at) == (False, at)


def test_a_logout_ends_the_session_of_the_refresh_token_and_no_other(alice: User) -> None:
    opened = [open_session(alice) for _ in range(4)]
    (first, _), (second, tokens), *_ = opened

    log_out(first, refresh_token=tokens.refresh_token)

    assert set(Session.objects.live()) == {session for session, _ in opened} - {first, second}


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_sweep_of_sessions_deletes_unless_it_only_counts(
    alice: User, dry_run: bool, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    for age in (0, 1):
        session = SessionFactory(user=alice)
        ended = NOON - timedelta(days=30, seconds=age)
        Session.objects.filter(pk=session.pk).update(expires_at=ended)

    swept = sessions.sweep(dry_run=True) if dry_run else sessions.sweep()

    assert swept == {"refresh tokens": 0, "sessions": 1, "admin logins": 0}
    assert Session.objects.count() == (2 if dry_run else 1)


# --- Users ---


@pytest.mark.parametrize(
    ("act", "what"), [(disable_user, "disable"), (withdraw_superuser, "demote"), (delete_user, "delete")]
)
def test_nobody_does_it_to_himself_nor_to_the_last_superuser(
    superuser: User, alice: User, act: Any, what: str
) -> None:
    ruler = UserFactory(username="ruler", is_superuser=True)
    with pytest.raises(Forbidden) as error:
        act(superuser, actor=superuser)
    assert refusal(error) == (f"You cannot {what} yourself", None)

    act(ruler, actor=superuser)
    with pytest.raises(Forbidden) as error:
        act(superuser, actor=alice)
    assert refusal(error) == ("The last superuser must stay", None)


def test_whoever_is_shut_out_has_no_session_left_and_returns_without_any(
    as_user: ApiClient, alice: User, superuser: User
) -> None:
    as_user(alice)

    disable_user(alice, actor=superuser)
    assert (alice.is_active, Session.objects.live().count()) == (False, 0)
    enable_user(alice, actor=superuser)
    assert (alice.is_active, Session.objects.live().count()) == (True, 0)


def test_what_the_database_alone_saw_to_be_taken_is_named_all_the_same(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other is gone again by the time somebody looks."""
    monkeypatch.setattr(users, "_first_taken", lambda user: None)

    with pytest.raises(Invalid) as error:
        save_unique(User(username="ALICE", email="other@example.org"))
    assert refusal(error) == ("Username already registered", "username")
    with pytest.raises(Invalid) as error:
        save_unique(User(username="other", email="ALICE@example.org"))
    assert refusal(error) == ("Email already registered", "email")


def test_what_the_database_refuses_for_another_reason_is_no_name_that_is_taken(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: User, **options: Any) -> None:
        raise IntegrityError("CHECK constraint failed: something_else")

    monkeypatch.setattr(User, "save", refuse)

    with pytest.raises(IntegrityError, match="something_else"):
        save_unique(alice)


# --- Roles ---


@pytest.fixture
def readers(db: None) -> Role:
    role = Role.objects.create(name="readers")
    role.permissions.add(Permission.objects.get(codename="view_report"))
    return role


@pytest.fixture
def guests(db: None) -> Role:
    """A role without permissions."""
    return Role.objects.create(name="guests")


def staff() -> set[str]:
    return set(User.objects.filter(is_staff=True).values_list("username", flat=True))


def test_a_role_with_permissions_opens_the_admin_and_its_loss_shuts_it(
    alice: User, bob: User, superuser: User, readers: Role, guests: Role
) -> None:
    give_role(alice, role=guests, actor=superuser)
    assert (alice.is_staff, staff()) == (False, {"root"})
    give_role(alice, role=readers, actor=superuser)
    give_role(bob, role=readers, actor=superuser)
    assert (alice.is_staff, staff()) == (True, {"root", "alice", "bob"})

    assign_roles(alice, [guests], actor=superuser)
    assert (alice.is_staff, staff()) == (False, {"root", "bob"})
    assign_roles(alice, [guests, readers], actor=superuser)
    assert (alice.is_staff, staff()) == (True, {"root", "alice", "bob"})

    delete_role(readers, actor=superuser)
    assert staff() == {"root"}
    assert set(alice.groups.values_list("name", flat=True)) == {"guests"}


def test_settling_writes_those_alone_whom_it_lets_in_or_out(
    alice: User, bob: User, carol: User, clerk: User, superuser: User, readers: Role
) -> None:
    for user in (alice, bob):
        user.groups.add(readers)
    User.objects.filter(pk=bob.pk).update(is_staff=True)

    update_staff_flag(User.objects.exclude(pk=clerk.pk))
    assert staff() == {"root", "alice", "bob", "clerk"}
    update_staff_flag(User.objects.all())
    assert staff() == {"root", "alice", "bob"}


def test_a_role_withdrawn_with_the_superusers_rank_or_kept(
    alice: User, superuser: User, readers: Role
) -> None:
    users.grant_superuser(alice, actor=superuser)
    assert (alice.is_superuser, alice.is_staff) == (True, True)
    withdraw_superuser(alice, actor=superuser)
    assert (alice.is_superuser, alice.is_staff) == (False, False)

    give_role(alice, role=readers, actor=superuser)
    users.grant_superuser(alice, actor=superuser)
    withdraw_superuser(alice, actor=superuser)
    assert (alice.is_superuser, alice.is_staff) == (False, True)
