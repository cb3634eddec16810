"""The panels and buttons of a user's page that belong to accounts."""

from django.http import HttpRequest
from django.utils import timezone

from accounts.admin.extensions import DeletionSummary, Panel, deletion_summaries, lines, panels
from accounts.events import EndReason
from accounts.guesses import lockouts_of, unlock
from accounts.models import FailedLogin, PersonalToken, RefreshToken, Session, User
from accounts.services.leaving import find_pending, withdraw_deletion
from accounts.services.second_factor import factor_state, remove_anothers_factor
from accounts.services.sessions import end_sessions, log_out_everywhere
from accounts.services.tokens import revoke_tokens
from aimessage.api.problems import NotFound
from aimessage.audit.models import Entry
from aimessage.backoffice.buttons import Button, Press
from aimessage.backoffice.lists import is_superuser
from aimessage.db.ids import is_id
from aimessage.mail.models import Mail

#: Sessions, and audit entries, on the page; a link leads to the rest.
SESSIONS_SHOWN = 10
ACTS_SHOWN = 5
MAILS_SHOWN = 10


def _end_session(user: User, press: Press) -> str:
    pk = press.sent.get("session", "")
    sessions = Session.objects.live().filter(user=user, pk=pk if is_id(pk) else 0)
    if not end_sessions(sessions, reason=EndReason.ADMIN, note=f"ended by user {press.actor.pk}"):
        raise NotFound("This session has ended already")
    return f"Ended session {pk}."


def _end_sessions(user: User, press: Press) -> str:
    log_out_everywhere(user, reason=EndReason.ADMIN, note=f"ended by user {press.actor.pk}")
    return "Ended every session."


def _revoke_token(user: User, press: Press) -> str:
    pk = press.sent.get("token", "")
    tokens = PersonalToken.objects.filter(user=user, pk=pk if is_id(pk) else 0)
    if not revoke_tokens(tokens, reason=f"revoked by user {press.actor.pk}"):
        raise NotFound("This token is dead already")
    return f"Revoked personal token {pk}."


def _unlock(user: User, press: Press) -> str:
    client = press.sent.get("address", "")
    unlock(user, client=client, actor=press.actor)
    return f"Lifted the lockout from {client or 'no address'}."


def _remove_second_factor(user: User, press: Press) -> str:
    remove_anothers_factor(user, actor=press.actor)
    return "Removed the second factor."


def _withdraw_deletion(user: User, press: Press) -> str:
    withdraw_deletion(user, actor=press.actor)
    return "Withdrew the deletion."


BUTTONS = {
    "end-session": Button("user.session_ended", _end_session),
    "end-sessions": Button("user.logged_out_everywhere", _end_sessions),
    "remove-second-factor": Button("user.second_factor_removed", _remove_second_factor),
    "revoke-token": Button("user.token_revoked", _revoke_token),
    "unlock": Button("user.unlocked", _unlock),
    "withdraw-deletion": Button("user.deletion_withdrawn", _withdraw_deletion),
}


def _sessions(request: HttpRequest, user: User) -> dict[str, object] | None:
    if not request.user.has_perm("accounts.view_session"):
        return None
    live = list(Session.objects.live().filter(user=user).order_by("-last_used_at")[: SESSIONS_SHOWN + 1])
    return {"sessions": live[:SESSIONS_SHOWN], "more": len(live) > SESSIONS_SHOWN}


def _tokens(request: HttpRequest, user: User) -> dict[str, object] | None:
    if not request.user.has_perm("accounts.view_session"):
        return None
    return {"tokens": PersonalToken.objects.live().filter(user=user).order_by("-pk")}


def _lockout(request: HttpRequest, user: User) -> dict[str, object] | None:
    if not request.user.has_perm("accounts.view_failedlogin"):
        return None
    return {"lockouts": lockouts_of(user)}


def _second_factor(request: HttpRequest, user: User) -> dict[str, object]:
    return {"state": factor_state(user)}


def _deletion(request: HttpRequest, user: User) -> dict[str, object] | None:
    pending = find_pending(user)
    return None if pending is None else {"pending": pending, "is_due": pending.deletion_at <= timezone.now()}


def _mails(request: HttpRequest, user: User) -> dict[str, object] | None:
    if not is_superuser(request):
        return None
    return {"mails": Mail.objects.filter(user=user)[:MAILS_SHOWN]}


def _roles(request: HttpRequest, user: User) -> dict[str, object]:
    return {"roles": user.groups.order_by("name").values("pk", "name", "role__description")}


def _history(request: HttpRequest, user: User) -> dict[str, object]:
    return {"entries": Entry.objects.about(User._meta.label_lower, user.pk)[:ACTS_SHOWN]}


def _deletion_summary(users: list[int]) -> DeletionSummary:
    sessions = Session.objects.filter(user__in=users)
    tokens = RefreshToken.objects.filter(user__in=users)
    personal = PersonalToken.objects.filter(user__in=users)
    failures = FailedLogin.objects.filter(user__in=users)
    mails = Mail.objects.filter(user__in=users)
    return DeletionSummary(
        goes=[
            "Username, e-mail address, name, phone number, biography, password, second factor and roles",
            *lines(sessions, "session", "sessions", ", live or ended: every device is logged out"),
            *lines(tokens, "refresh token", "refresh tokens", ""),
            *lines(personal, "personal token", "personal tokens", ", live or revoked"),
            *lines(failures, "failed login", "failed logins", ""),
            *lines(mails, "record", "records", " of mails"),
        ],
        stays=["What the audit trail says was done in the admin, by this account and to it, under no name"],
    )


panels += [
    Panel("Live sessions", "admin/accounts/user/sessions.html", _sessions),
    Panel("Personal tokens", "admin/accounts/user/tokens.html", _tokens),
    Panel("Lockout", "admin/accounts/user/lockout.html", _lockout),
    Panel("Second factor", "admin/accounts/user/second_factor.html", _second_factor),
    Panel("Deletion", "admin/accounts/user/deletion.html", _deletion),
    Panel("Mails", "admin/accounts/user/mails.html", _mails),
    Panel("Roles", "admin/accounts/user/roles.html", _roles),
    Panel("History", "admin/accounts/user/history.html", _history),
]
deletion_summaries += [_deletion_summary]
