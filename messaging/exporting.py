"""What an account's export contains from messaging, in the shape of the API's lists."""

from django.db.models import F

from accounts.models import User
from accounts.services import exporting
from accounts.services.exporting import BATCH, Rows, by_id
from messaging.models import Block, Message
from messaging.selectors import conversations_of
from messaging.serializers import MESSAGE_FIELDS


def messages(user: User) -> Rows:
    found = Message.objects
    return by_id(*(rows.values(*MESSAGE_FIELDS) for rows in (found.sent_by(user), found.received_by(user))))


def conversations(user: User) -> Rows:
    rows = conversations_of(user).order_by("-last_message_id")
    page = list(rows[:BATCH])
    while page:
        for row in page:
            shown = {name: value for name, value in row.items() if name not in {"preview", "last_message_id"}}
            yield {**shown, "last_message": row["preview"]}
        page = list(rows.filter(last_message_id__lt=page[-1]["last_message_id"])[:BATCH])


def blocks(user: User) -> Rows:
    rows = Block.objects.by(user).annotate(user_id=F("blocked_id"), username=F("blocked__username"))
    for row in by_id(rows.values("id", "user_id", "username", "created_at")):
        del row["id"]
        yield row


exporting.sources |= {
    "messages.ndjson": messages,
    "conversations.json": conversations,
    "blocks.json": blocks,
}
