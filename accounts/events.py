"""What changes in accounts, as events (aimessage/events)."""

from accounts.tickets import live_sessions
from aimessage.events.kinds import add_kinds, stored_data
from aimessage.events.streams import CHECKS, SESSION_ENDED


def add_account_kinds() -> None:
    add_kinds([SESSION_ENDED], stored_data, scope=None)
    CHECKS["session"] = live_sessions
