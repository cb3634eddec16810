"""What is written changes its own columns alone: of two who write at once, neither undoes the other."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Role, Session, User
from accounts.services import users
from accounts.services.roles import assign_roles, give_role
from accounts.services.sessions import open_session, refresh_session
from reports import services as reports
from reports.models import Report
from tests.factories import ReportFactory

pytestmark = pytest.mark.django_db

Act = Callable[..., Any]


@pytest.mark.parametrize(
    "act",
    [
        lambda user, root, role: users.disable_user(user, actor=root),
        lambda user, root, role: users.grant_superuser(user, actor=root),
        lambda user, root, role: users.set_password(user, "amber-kettle-77"),
        lambda user, root, role: assign_roles(user, [role], actor=root),
        lambda user, root, role: give_role(user, role=role, actor=root),
    ],
)
def test_an_act_upon_a_user_leaves_what_another_changed(alice: User, superuser: User, act: Act) -> None:
    role = Role.objects.create(name="guests")
    User.objects.filter(pk=alice.pk).update(bio="Changed by another.")
    alice.full_name = "Not saved yet"

    act(alice, superuser, role)

    assert alice.full_name == "Not saved yet"
    alice.refresh_from_db()
    assert (alice.bio, alice.full_name) == ("Changed by another.", "Alice Archer")


def test_withdrawing_a_rank_leaves_what_another_changed(alice: User, superuser: User) -> None:
    users.grant_superuser(alice, actor=superuser)
    User.objects.filter(pk=alice.pk).update(bio="Changed by another.")
    alice.full_name = "Not saved yet"

    users.withdraw_superuser(alice, actor=superuser)

    assert alice.full_name == "Not saved yet"
    alice.refresh_from_db()
    assert (alice.bio, alice.full_name) == ("Changed by another.", "Alice Archer")


def meanwhile(monkeypatch: pytest.MonkeyPatch, model: type, **changed: Any) -> None:
    """As if another had changed every row between the look at one and its writing."""
    save = model.save

    def late(self: Any, **options: Any) -> None:
        type(self).objects.update(**changed)
        save(self, **options)

    monkeypatch.setattr(model, "save", late)


def test_a_refresh_leaves_what_another_changed(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _, tokens = open_session(alice)
    meanwhile(monkeypatch, Session, device_info="Changed by another.")

    refresh_session(tokens.refresh_token)

    assert Session.objects.get().device_info == "Changed by another."


@pytest.mark.parametrize(
    "act",
    [
        lambda report, moderator: reports.update_report(report, editor=report.reporter, title="Insults"),
        lambda report, moderator: reports.moderate_report(report, actor=moderator, status="in_progress"),
        lambda report, moderator: reports.claim_report(report, actor=moderator),
    ],
)
def test_an_act_upon_a_report_leaves_what_another_changed(
    alice: User, moderator: User, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    report = ReportFactory(reporter=alice)
    meanwhile(monkeypatch, Report, content="Changed by another.")

    act(report, moderator)

    assert Report.objects.get().content == "Changed by another."
