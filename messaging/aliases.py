"""Ids by which clients of the former backend name accounts that have other ids here; they are never shown.

A higher room adds an account: `ACCOUNTS[-1]` gives the id of the assistant's, 0 where there is none. A
conversation is called after it too, by whoever talks with it: `conv_-1_5` by user 5.
"""

import re
from collections.abc import Callable

from accounts.models import User
from messaging.models import default_conversation_id

ACCOUNTS: dict[int, Callable[[], int]] = {}
_WRITTEN = re.compile("-[1-9][0-9]{0,3}")
_CONVERSATION = re.compile(r"conv_(-[1-9][0-9]*)_([1-9][0-9]*)")


def real_user_id(user_id: int) -> int | None:
    """The id of the account that `user_id` stands for, 0 where there is none; None where it is no alias."""
    return ACCOUNTS[user_id]() if user_id in ACCOUNTS else None


def written_user_id(text: str) -> int | None:
    """The same of an id as an address has it."""
    return real_user_id(int(text)) if _WRITTEN.fullmatch(text) else None


def real_conversation_id(conversation_id: str, user: User) -> str:
    """The id that `user` means; one that is nobody's where they name another's."""
    match = _CONVERSATION.fullmatch(conversation_id)
    if match is None or match[2] != str(user.pk):
        return conversation_id
    other_id = real_user_id(int(match[1]))
    return default_conversation_id(user.pk, other_id) if other_id else conversation_id
