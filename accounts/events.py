"""The events of accounts (aimessage/events), and what webhooks send for them."""

from collections.abc import Collection, Sequence

from django.db.models import TextChoices

from accounts.models import PersonalToken, User
from accounts.serializers import UserSerializer
from accounts.tickets import live_sessions
from aimessage.events.kinds import EventRow, add_kinds, stored_data
from aimessage.events.streams import CHECKS, SESSION_ENDED
from aimessage.webhooks.kinds import Told, add_webhook_kinds, tell_ids

#: Only for webhooks.
USER_CREATED = "user.created"
USER_UPDATED = "user.updated"
USER_DISABLED = "user.disabled"
USER_DELETED = "user.deleted"


class EndReason(TextChoices):
    """Why a session ended: the value goes to the user's clients, the label to the log."""

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
    add_webhook_kinds([USER_CREATED, USER_UPDATED, USER_DISABLED], tell_users)
    add_webhook_kinds([USER_DELETED], tell_ids)


def tell_users(rows: Sequence[EventRow]) -> dict[int, Told]:
    users = User.objects.in_bulk({row.data["user_id"] for row in rows})
    found = [(row, users.get(row.data["user_id"])) for row in rows]
    return {
        row.id: Told(row.data, {"user": UserSerializer.show(user)} if user is not None else {})
        for row, user in found
    }


def live_tokens(ids: Collection[int]) -> set[int]:
    live = PersonalToken.objects.live().filter(pk__in=ids, user__is_active=True)
    return set(live.values_list("pk", flat=True))
