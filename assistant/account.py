"""The assistant's account, made when it is first needed."""

import logging
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.models import User
from accounts.services.users import save_unique
from aimessage.api.problems import Invalid
from assistant.models import DISCLOSURE, PROMPT, Profile, Thread

NAME = "assistant"
#: The first of these names that nobody has becomes its username.
USERNAMES = ["assistant", "ai-assistant", *(f"assistant-{number}" for number in range(2, 100))]
FULL_NAME = "Assistant (AI)"
#: Nobody's, by RFC 2606; an account must have one.
ADDRESS = "{}@assistant.invalid"

logger = logging.getLogger("aimessage.assistant")


def find_profile() -> Profile | None:
    profile: Profile | None = Profile.objects.select_related("user").filter(name=NAME).first()
    return profile


def get_profile() -> Profile:
    """The assistant, whose account is made where there is none."""
    return find_profile() or _make()


def _make() -> Profile:
    try:
        with transaction.atomic():
            user = _make_user()
            profile: Profile = Profile.objects.create(
                name=NAME, user=user, prompt=PROMPT, disclosure=DISCLOSURE
            )
    except IntegrityError:  # another process was faster
        found = find_profile()
        if found is None:
            raise
        return found
    logger.info("made: assistant user=%s", user.pk)
    return profile


def _make_user() -> User:
    for username in USERNAMES:
        user = User(
            username=username, email=ADDRESS.format(username), full_name=FULL_NAME, kind=User.Kind.BOT
        )
        user.set_unusable_password()
        try:
            save_unique(user)
        except Invalid:
            continue
        return user
    raise RuntimeError("Every name for the assistant's account is taken")


def assistant_id() -> int:
    """The id of the account that -1 stands for, 0 where there is none."""
    return get_profile().user_id if settings.ASSISTANT.on else 0


def closed_accounts(user: User) -> QuerySet[Any, Any]:
    """The ids of assistants that `user` cannot write to; the directory leaves them out."""
    return Profile.objects.closed_to(user).values("user")


def get_thread(user: User, profile: Profile) -> Thread:
    thread, _ = Thread.objects.get_or_create(user=user, profile=profile)
    return thread
