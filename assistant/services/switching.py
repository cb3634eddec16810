"""Switches the assistant off and on."""

import logging

from django.db import transaction

from assistant.models import Profile, Reply
from assistant.services.claiming import lock_conversation
from assistant.services.finishing import end

logger = logging.getLogger("aimessage.assistant")


@transaction.atomic
def switch_off(profile: Profile) -> None:
    """Refuses new questions. Running replies end without an answer; queued ones are skipped in their turn."""
    Profile.objects.filter(pk=profile.pk).update(is_active=False)
    running = Reply.objects.filter(profile=profile, state=Reply.State.RUNNING).order_by("conversation_id")
    for pk, conversation_id in running.values_list("pk", "conversation_id"):
        lock_conversation(conversation_id)
        reply = running.select_for_update(of=("self",)).select_related("asker", "profile__user").filter(pk=pk)
        for current in reply:
            end(current, Reply.State.SKIPPED, text="", reason="switched_off")
    logger.info("switched off: profile=%s", profile.pk)


def switch_on(profile: Profile) -> None:
    Profile.objects.filter(pk=profile.pk).update(is_active=True)
    logger.info("switched on: profile=%s", profile.pk)
