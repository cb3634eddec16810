"""Writes the demo's conversations, messages and blocks."""

from datetime import datetime, timedelta
from random import Random

from django.db.models import Count, Max, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from messaging.models import Block, Conversation, Message, Participant
from messaging.querysets import MessageQuerySet
from operations.demo.batches import batches, write_in_batches
from operations.demo.chance import HISTORY, Clock, seeded, to_datetime
from operations.demo.circles import FRIENDS_EACH, Channel, Speaker, make_channels, make_nuisances
from operations.demo.complaints import KINDS
from operations.demo.names import given_name
from operations.demo.people import last_day, ordinary_people
from operations.demo.script import SCENE_LENGTH, SCENES_PER_NUISANCE, Draft, write_script
from operations.progress import Steps

#: At least, so that small demos do not have conversations of one message.
MESSAGES_PER_PAIR = 10
#: Rows of one bulk_update; each becomes a branch of a CASE.
UPDATES = 200
#: One person in ten blocks somebody.
PEOPLE_PER_BLOCK = 10


def demo_messages() -> MessageQuerySet:
    people = ordinary_people().order_by().values("pk")
    found: MessageQuerySet = Message.objects.filter(sender__in=people, recipient__in=people)
    return found


def write_messages(size: int, *, reports: int) -> Steps:
    """Adds messages until there are `size`, all newer than those that exist.

    Enough of them are offensive to be the cause of `reports` reports.
    """
    present = demo_messages().aggregate(count=Count("pk"), newest=Max("created_at"))
    missing = size - present["count"]
    if missing <= 0:
        return
    now = timezone.now()
    start = present["newest"] or now - HISTORY
    clock = Clock(start.timestamp(), now.timestamp())
    speakers = [
        Speaker(
            user.pk,
            given_name(user.full_name or user.username),
            since=max(user.created_at.timestamp(), clock.start),
            until=min(last_day(user), clock.end),
            is_active=user.is_active,
        )
        for user in ordinary_people()
    ]
    enemies = {frozenset(pair) for pair in Block.objects.values_list("blocker_id", "blocked_id")}
    pairs = max(1, min(len(speakers) * FRIENDS_EACH, size // MESSAGES_PER_PAIR))
    channels = _without_others_conversations(make_channels(speakers, pairs, enemies))
    causes = max(missing // SCENE_LENGTH // SCENES_PER_NUISANCE, min(reports, missing // 20), 1)
    nuisances = _without_others_conversations(make_nuisances(speakers, causes, channels, enemies))
    if not channels:
        return
    drafts = write_script(channels, nuisances, clock, missing)
    yield from write_in_batches(drafts, _write, total=missing)


def _without_others_conversations(channels: list[Channel]) -> list[Channel]:
    members: dict[str, set[int | None]] = {}
    for batch in batches(channels):
        ids = [channel.conversation_id for channel in batch]
        rows = Participant.objects.filter(conversation__in=ids).values_list("conversation_id", "user_id")
        for conversation_id, user_id in rows:
            members.setdefault(conversation_id, set()).add(user_id)
    return [
        channel for channel in channels if members.get(channel.conversation_id, channel.pair) == channel.pair
    ]


def _write(drafts: list[Draft]) -> None:
    openings: dict[str, Draft] = {}
    for draft in drafts:
        openings.setdefault(draft.channel.conversation_id, draft)
    _open_conversations(openings)
    messages = Message.objects.bulk_create(
        Message(
            sender_id=draft.sender.pk,
            recipient_id=draft.recipient.pk,
            conversation_id=draft.channel.conversation_id,
            content=draft.content,
            is_read=draft.is_read,
            deleted_by_recipient=draft.is_deleted,
            created_at=to_datetime(draft.at),
        )
        for draft in drafts
    )
    replies, edited = [], []
    for draft, message in zip(drafts, messages, strict=True):
        draft.pk = message.pk
        if draft.answers:
            message.parent_id = draft.answers.pk
            replies.append(message)
        if draft.edited_after:
            message.updated_at = to_datetime(draft.at + draft.edited_after)
            edited.append(message)
    Message.objects.bulk_update(replies, ["parent"], batch_size=UPDATES)
    # An insert sets updated_at to created_at.
    Message.objects.bulk_update(edited, ["updated_at"], batch_size=UPDATES)
    _point_at_newest(openings, since=messages[0].pk)


def _open_conversations(openings: dict[str, Draft]) -> None:
    # Locked as by `send_message`: somebody may use the demo's API meanwhile.
    standing = Conversation.objects.select_for_update().filter(pk__in=openings).order_by("pk")
    known = set(standing.values_list("pk", flat=True))
    new = [draft for conversation_id, draft in openings.items() if conversation_id not in known]
    conversations = Conversation.objects.bulk_create(
        Conversation(pk=draft.channel.conversation_id) for draft in new
    )
    for conversation, draft in zip(conversations, new, strict=True):
        conversation.created_at = to_datetime(draft.at)
    # An insert sets created_at to now.
    Conversation.objects.bulk_update(conversations, ["created_at"], batch_size=UPDATES)
    Participant.objects.bulk_create(
        Participant(conversation_id=draft.channel.conversation_id, user_id=speaker.pk)
        for draft in new
        for speaker in (draft.sender, draft.recipient)
    )


def _point_at_newest(openings: dict[str, Draft], *, since: int) -> None:
    seen = Q(sender=OuterRef("user")) | Q(recipient=OuterRef("user"), deleted_by_recipient=False)
    written = Message.objects.filter(conversation=OuterRef("conversation"), pk__gte=since)
    newest = written.filter(seen).order_by("-pk")
    talking = Participant.objects.filter(conversation__in=openings)
    talking.update(last_message=Coalesce(Subquery(newest.values("pk")[:1]), "last_message"))


def write_blocks() -> Steps:
    people = ordinary_people().order_by().values("pk")
    blocks = Block.objects.filter(blocker__in=people, blocked__in=people)
    present = blocks.aggregate(count=Count("pk"), newest=Max("created_at"))
    missing = ordinary_people().count() // PEOPLE_PER_BLOCK - present["count"]
    if missing <= 0:
        return
    nuisances = demo_messages().filter(content__in=KINDS, recipient__is_active=True).order_by("pk")
    # A dict drops duplicates and keeps the order.
    pairs = dict.fromkeys(nuisances.values_list("recipient_id", "sender_id"))
    for pair in blocks.values_list("blocker_id", "blocked_id"):
        pairs.pop(pair, None)
    chance = seeded("blocks", missing)
    made = [
        _block(blocker, blocked, present["newest"], chance)
        for blocker, blocked in chance.sample(list(pairs), min(missing, len(pairs)))
    ]
    made.sort(key=lambda block: block.created_at)
    yield from write_in_batches(made, _write_blocks, total=len(made))


def _block(blocker: int, blocked: int, newest: datetime | None, chance: Random) -> Block:
    # Later than the last message of the two, and than the newest block.
    both = [blocker, blocked]
    last = Message.objects.filter(sender__in=both, recipient__in=both).latest("pk").created_at
    after = max(last, newest or last)
    pause = timedelta(hours=chance.uniform(0.02, 1))
    created_at = after + min(pause, (timezone.now() - after) * 0.9)
    return Block(blocker_id=blocker, blocked_id=blocked, created_at=created_at)


def _write_blocks(blocks: list[Block]) -> None:
    Block.objects.bulk_create(blocks)
