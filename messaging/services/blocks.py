"""Setting and lifting blocks."""

import logging

from django.db import IntegrityError, transaction

from accounts.models import User
from aimessage.api.problems import Invalid, NotFound, Reason
from aimessage.events.log import record
from messaging import events
from messaging.models import Block

USER_NOT_FOUND = Reason("User not found")
BLOCK_NOT_FOUND = Reason("Block not found")
BLOCK_YOURSELF = Reason("Cannot block yourself", "yourself", field="user_id")

logger = logging.getLogger("messages")


def block_user(blocker: User, *, user_id: int) -> tuple[Block, bool]:
    """Returns the block, and whether it is new. Raises Invalid for oneself, NotFound for an unknown user."""
    if user_id == blocker.pk:
        raise Invalid(BLOCK_YOURSELF)
    blocked = User.objects.filter(pk=user_id).first()
    if blocked is None:
        raise NotFound(USER_NOT_FOUND)
    try:
        with transaction.atomic():
            block, is_new = Block.objects.get_or_create(blocker=blocker, blocked=blocked)
            if is_new:
                record(events.BLOCK_CREATED, [blocker.pk], data={"user_id": blocked.pk})
    except IntegrityError as error:  # deleted meanwhile
        raise NotFound(USER_NOT_FOUND) from error
    if is_new:
        logger.info("blocked: blocker=%s blocked=%s", blocker.pk, blocked.pk)
    return block, is_new


@transaction.atomic
def unblock_user(blocker: User, *, user_id: int) -> None:
    """Raises NotFound if there is no such block."""
    deleted, _ = Block.objects.filter(blocker=blocker, blocked_id=user_id).delete()
    if not deleted:
        raise NotFound(BLOCK_NOT_FOUND)
    record(events.BLOCK_DELETED, [blocker.pk], data={"user_id": user_id})
    logger.info("unblocked: blocker=%s blocked=%s", blocker.pk, user_id)
