"""Messages, with their conversations and participants."""

from dataclasses import dataclass
from datetime import datetime

from messaging.models import Conversation, Message, Participant
from operations.legacy_import.accounts import note_unclean, read_old_flag, read_times
from operations.legacy_import.cells import read_id, read_text, read_whole
from operations.legacy_import.conversations import Allotment, Wish, clean_id
from operations.legacy_import.findings import Findings
from operations.legacy_import.models import Thread
from operations.legacy_import.source import OldMessage
from operations.legacy_import.writing import chunks, insert

#: In place of an account id that cannot be one.
NOBODY = 0
#: The id that the former backend used for its assistant, which had no account.
OLD_ASSISTANT = -1


@dataclass(slots=True)
class NewMessage:
    """The columns of a message. Making a million model instances would take three times as long."""

    id: int
    sender_id: int | None
    recipient_id: int | None
    conversation_id: str
    content: str
    is_read: bool
    parent_id: int | None
    created_at: datetime
    updated_at: datetime
    deleted_by_recipient: bool = False
    idempotency_key: str | None = None
    idempotency_hash: str | None = None


def write_messages(
    rows: list[OldMessage],
    *,
    accounts: set[int],
    assistant: int | None,
    now: datetime,
    before: datetime,
    findings: Findings,
    using: str,
) -> list[NewMessage]:
    """Writes the messages that can be taken, and their new conversations. Returns the messages."""
    if assistant is not None:
        rows = [_with_assistant(old, assistant) for old in rows]
    kept: list[tuple[OldMessage, Wish]] = []
    for old in rows:
        wish = judge_message(old, accounts=accounts, findings=findings)
        if wish is not None:
            kept.append((old, wish))
    allotment = Allotment((wish for _, wish in kept), using=using)
    messages: list[NewMessage] = []
    for old, wish in kept:
        conversation_id = allotment[wish]
        if wish.conversation_id and conversation_id != wish.conversation_id and assistant not in wish.pair:
            reason = "moved to a conversation of its own two: the one it named is for others"
            findings.change(old.id, reason, f"now {conversation_id}")
        elif wish.conversation_id and wish.conversation_id != read_text(old.conversation_id):
            reason = "its conversation got another id: the old one has characters that none may have"
            findings.change(old.id, reason, f"now {conversation_id}")
        message = map_message(
            old, conversation_id, accounts=accounts, now=now, before=before, findings=findings
        )
        before = message.created_at
        messages.append(message)
    _detach_bad_parents(messages, findings, using=using)
    pairs = {allotment[wish]: wish.pair for _, wish in kept}
    _open_conversations(messages, pairs, accounts, using=using)
    insert(Thread, allotment.new_threads, using=using)
    insert(Message, messages, using=using)
    return messages


def _with_assistant(old: OldMessage, assistant: int) -> OldMessage:
    if read_whole(old.sender_id) == OLD_ASSISTANT:
        old = old._replace(sender_id=assistant)
    if read_whole(old.recipient_id) == OLD_ASSISTANT:
        old = old._replace(recipient_id=assistant)
    return old


def judge_message(old: OldMessage, *, accounts: set[int], findings: Findings) -> Wish | None:
    """The conversation that the message asks for; None if the message is refused."""
    sender, recipient = read_person(old.sender_id), read_person(old.recipient_id)
    if sender not in accounts and recipient not in accounts:
        findings.refuse(
            old.id,
            "neither its sender nor its recipient is there, so that nobody could read it",
            f"accounts {sender} and {recipient}",
        )
        return None
    if sender == recipient:
        findings.refuse(old.id, "its sender and its recipient are one", f"account {sender}")
        return None
    if old.content is None:
        findings.refuse(old.id, "it has no content")
        return None
    low, high = sorted((sender, recipient))
    return Wish(clean_id(old.conversation_id), (low, high))


def read_person(value: object) -> int:
    return read_id(value) or NOBODY


def map_message(
    old: OldMessage,
    conversation_id: str,
    *,
    accounts: set[int],
    now: datetime,
    before: datetime,
    findings: Findings,
) -> NewMessage:
    pk = int(old.id)
    sender, recipient = read_person(old.sender_id), read_person(old.recipient_id)
    for person, who in ((sender, "sender"), (recipient, "recipient")):
        if person not in accounts:
            findings.change(pk, f"its {who} is no account any more: shown as deleted", f"account {person}")
    created_at, updated_at = read_times(old, now=now, before=before, findings=findings)
    note_unclean(old, ["content"], findings)
    # `_detach_bad_parents` looks whether it exists.
    parent = read_whole(old.parent_id)
    if old.parent_id is not None and (parent is None or not 0 < parent < pk):
        reason = "no reply any more: what it answers is no earlier message"
        findings.change(pk, reason, f"parent {read_text(old.parent_id)}")
        parent = None
    return NewMessage(
        id=pk,
        sender_id=sender if sender in accounts else None,
        recipient_id=recipient if recipient in accounts else None,
        conversation_id=conversation_id,
        content=read_text(old.content),
        is_read=read_old_flag(old, "is_read", findings),
        parent_id=parent,
        created_at=created_at,
        updated_at=updated_at,
    )


def _detach_bad_parents(messages: list[NewMessage], findings: Findings, *, using: str) -> None:
    homes: dict[int, str] = {message.id: message.conversation_id for message in messages}
    wanted = {message.parent_id for message in messages if message.parent_id is not None} - set(homes)
    for some in chunks(wanted):
        parents = Message.objects.using(using).filter(pk__in=some)
        homes |= dict(parents.order_by().values_list("pk", "conversation_id"))
    for message in messages:
        parent = message.parent_id
        if parent is not None and homes.get(parent) != message.conversation_id:
            is_there = parent in homes
            reason = "in another conversation" if is_there else "not there"
            findings.change(message.id, f"no reply any more: what it answers is {reason}", f"parent {parent}")
            message.parent_id = None


def _open_conversations(
    messages: list[NewMessage], pairs: dict[str, tuple[int, int]], accounts: set[int], *, using: str
) -> None:
    openings: dict[str, NewMessage] = {}
    for message in messages:
        openings.setdefault(message.conversation_id, message)
    for some in chunks(list(openings)):
        for standing in Conversation.objects.using(using).filter(pk__in=some).values_list("pk", flat=True):
            del openings[standing]
    conversations = [Conversation(pk=name, created_at=first.created_at) for name, first in openings.items()]
    insert(Conversation, conversations, using=using)
    members = [
        Participant(conversation_id=name, user_id=person if person in accounts else None)
        for name in openings
        for person in pairs[name]
    ]
    insert(Participant, members, using=using)
