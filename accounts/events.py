"""What changes in accounts, as events (aimessage/events)."""

from collections.abc import Collection

from django.db.models import TextChoices

from accounts.models import PersonalToken
from accounts.tickets import live_sessions
from aimessage.events.kinds import add_kinds, stored_data
from aimessage.events.streams import CHECKS, SESSION_ENDED

#: For webhooks alone.
USER_CREATED = "user.created"
USER_UPDATED = "user.updated"
USER_DISABLED = "user.disabled"
USER_DELETED = "user.deleted"


class EndReason(TextChoices):
    """Why a session ended: what its user's clients are told, and what the log says."""

    LOGOUT = "logout", "logout"
    LOGOUT_ALL = "logout_all", "logout everywhere"
    DELETED = "deleted", "ended by its user"
    PASSWORD_CHANGED = "password_changed", "password changed"
    REUSED = "reused", "refresh token reused"
    DISABLED = "disabled", "disabled"
    ADMIN = "admin", "ended in the admin"


def add_account_kinds() -> None:
    add_kinds([SESSION_ENDED], stored_data, scope=None)
    CHECKS["session"] = live_sessions
    CHECKS["token"] = live_tokens


def live_tokens(ids: Collection[int]) -> set[int]:
    """Those of the personal tokens that are live, of users who are not disabled."""
    live = PersonalToken.objects.live().filter(pk__in=ids, user__is_active=True)
    return set(live.values_list("pk", flat=True))
