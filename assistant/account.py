"""Finds the assistant's profile and account, and creates them when they are first needed."""

import logging

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, IntegrityError, transaction
from django.db.models import Q, QuerySet

from accounts.events import USER_CREATED
from accounts.models import User
from aimessage.db.text import fold
from aimessage.events.log import record
from assistant.models import DISCLOSURE, PROMPT, Profile, Thread

NAME = "assistant"
#: Its username is the first of these that is free.
USERNAMES = ["assistant", "ai-assistant", *(f"assistant-{number}" for number in range(2, 100))]
FULL_NAME = "Assistant (AI)"
#: An account must have an address; RFC 2606 reserves `.invalid`, so nobody can own this one.
ADDRESS = "{}@assistant.invalid"

logger = logging.getLogger("aimessage.assistant")


def find_profile(using: str = DEFAULT_DB_ALIAS) -> Profile | None:
    return Profile.objects.using(using).select_related("user").filter(name=NAME).first()


def get_profile(using: str = DEFAULT_DB_ALIAS) -> Profile:
    """Returns the assistant's profile. Creates it, with its account, if there is none."""
    return find_profile(using) or _create(using)


def _create(using: str) -> Profile:
    try:
        with transaction.atomic(using=using):
            user = _free_user(using)
            user.save(using=using, force_insert=True)
            profile = Profile(name=NAME, user=user, prompt=PROMPT, disclosure=DISCLOSURE)
            profile.save(using=using, force_insert=True)
            if using == DEFAULT_DB_ALIAS:
                record(USER_CREATED, data={"user_id": user.pk})
    except IntegrityError:  # another process was faster
        found = find_profile(using)
        if found is None:
            raise
        return found
    logger.info("made: assistant user=%s", user.pk)
    return profile


def _free_user(using: str) -> User:
    for username in USERNAMES:
        email = ADDRESS.format(username)
        taken = Q(username_key=fold(username)) | Q(email_key=fold(email))
        if not User.objects.using(using).filter(taken).exists():
            user = User(username=username, email=email, full_name=FULL_NAME, kind=User.Kind.BOT)
            user.set_unusable_password()
            return user
    raise RuntimeError("Every name for the assistant's account is taken")


def assistant_id() -> int:
    """The id of the account that clients call -1; 0 if the assistant is off."""
    return get_profile().user_id if settings.ASSISTANT.on else 0


def closed_accounts(user: User) -> QuerySet[Profile, object]:
    """The ids of the assistants' accounts that `user` cannot write to, so that the directory omits them."""
    return Profile.objects.closed_to(user).values("user")


def get_thread(user: User, profile: Profile) -> Thread:
    thread, _ = Thread.objects.get_or_create(user=user, profile=profile)
    return thread
