"""Private messages have no page in the admin; only an account's deletion summary counts them."""

from accounts.admin.extensions import DeletionSummary, deletion_summaries, lines
from messaging.models import Block, Message, Participant


def _deletion_summary(users: list[int]) -> DeletionSummary:
    made, met = Block.objects.filter(blocker__in=users), Block.objects.filter(blocked__in=users)
    talks = Participant.objects.filter(user__in=users)
    sent, received = Message.objects.filter(sender__in=users), Message.objects.filter(recipient__in=users)
    return DeletionSummary(
        goes=[
            *lines(made, "block", "blocks", " of others"),
            *lines(met, "block", "blocks", " by others"),
            *lines(talks, "place in a conversation", "places in conversations", ": nobody can answer there"),
        ],
        stays=[
            *lines(sent, "message", "messages", " sent: who received it keeps it, from Deleted user"),
            *lines(received, "message", "messages", " received: who sent it keeps it"),
        ],
    )


deletion_summaries += [_deletion_summary]
