"""Aliases: ids that clients of the former backend send for accounts with another id here. Never shown.

A higher room adds an account: `ACCOUNTS[-1]()` returns the id of the assistant, 0 if there is none. Its
conversations have aliases, too: user 5 may write `conv_-1_5`.
"""

import re
from collections.abc import Callable

from accounts.models import User
from messaging.models import default_conversation_id

ACCOUNTS: dict[int, Callable[[], int]] = {}
_WRITTEN = re.compile("-[1-9][0-9]{0,3}")
_CONVERSATION = re.compile(r"conv_(-[1-9][0-9]*)_([1-9][0-9]*)")


def real_user_id(user_id: int) -> int | None:
    """The account's id if `user_id` is an alias, 0 if that has no account; None if it is no alias."""
    return ACCOUNTS[user_id]() if user_id in ACCOUNTS else None


def written_user_id(text: str) -> int | None:
    return real_user_id(int(text)) if _WRITTEN.fullmatch(text) else None


def real_conversation_id(conversation_id: str, user: User) -> str:
    # Users have aliases for their own conversations only. Others' aliases name no conversation.
    match = _CONVERSATION.fullmatch(conversation_id)
    if match is None or match[2] != str(user.pk):
        return conversation_id
    other_id = real_user_id(int(match[1]))
    return default_conversation_id(user.pk, other_id) if other_id else conversation_id
