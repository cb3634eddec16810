"""Blocks: who wants nothing from whom."""

import logging

from django.db import IntegrityError, transaction

from accounts.models import User
from aimessage.api.problems import Invalid, NotFound
from messaging.models import Block

logger = logging.getLogger("messages")


def block_user(blocker: User, *, user_id: int) -> tuple[Block, bool]:
    """Blocks a user; returns the block, and whether it is new.

    Raises Invalid for oneself, NotFound for an unknown user.
    """
    if user_id == blocker.pk:
        raise Invalid("Cannot block yourself", field="user_id")
    blocked = User.objects.filter(pk=user_id).first()
    if blocked is None:
        raise NotFound("User not found")
    try:
        with transaction.atomic():
            block, is_new = Block.objects.get_or_create(blocker=blocker, blocked=blocked)
    except IntegrityError as error:  # deleted meanwhile
        raise NotFound("User not found") from error
    if is_new:
        logger.info("blocked: blocker=%s blocked=%s", blocker.pk, blocked.pk)
    return block, is_new


def unblock_user(blocker: User, *, user_id: int) -> None:
    """Raises NotFound where there is no such block."""
    deleted, _ = Block.objects.filter(blocker=blocker, blocked_id=user_id).delete()
    if not deleted:
        raise NotFound("Block not found")
    logger.info("unblocked: blocker=%s blocked=%s", blocker.pk, user_id)
