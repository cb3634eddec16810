"""Private messages have no page in the admin. What becomes of them is said where an account is deleted."""

from accounts.admin.extensions import Fate, counted, fates
from messaging.models import Block, Message, Participant


def _fate(users: list[int]) -> Fate:
    sent = counted(Message.objects.filter(sender__in=users), "message sent", "messages sent")
    received = counted(Message.objects.filter(recipient__in=users), "message received", "messages received")
    talks = counted(Participant.objects.filter(user__in=users), "conversation", "conversations")
    made = counted(Block.objects.filter(blocker__in=users), "block made", "blocks made")
    met = counted(Block.objects.filter(blocked__in=users), "block met with", "blocks met with")
    return Fate(
        goes=[f"{made} and {met}", f"The place in {talks}: nobody can write there any more"],
        stays=[
            f"{sent}: those who received them keep them, from Deleted user",
            f"{received}: those who sent them keep them",
        ],
    )


fates += [_fate]
