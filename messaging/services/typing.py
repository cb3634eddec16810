"""Shows the other participant that somebody is typing; nothing is stored."""

from django.db import transaction

from accounts.models import User
from aimessage.api.problems import Forbidden, NotFound
from aimessage.events.log import record
from messaging import events
from messaging.models import Block, Participant
from messaging.services.messages import BLOCKED, CONVERSATION_NOT_FOUND

#: Seconds after which clients stop showing it, unless it comes again.
EXPIRES_IN = 6


@transaction.atomic
def show_typing(user: User, *, conversation_id: str) -> None:
    """Raises NotFound if `user` is no participant, Forbidden if either blocks the other."""
    members = Participant.objects.filter(conversation=conversation_id)
    active = dict(members.values_list("user_id", "user__is_active"))
    if user.pk not in active:
        raise NotFound(CONVERSATION_NOT_FOUND)
    others = {pk for pk, is_active in active.items() if is_active and pk != user.pk}
    for other in others:
        if Block.objects.between(user.pk, other).exists():
            raise Forbidden(BLOCKED)
    if others:
        data = {"conversation_id": conversation_id, "user_id": user.pk, "expires_in": EXPIRES_IN}
        record(events.TYPING, others, conversation_id=conversation_id, data=data)
