"""What messaging is, in plain Python: the rules of the API without a database, a cursor or an index."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: Characters of its last message that a conversation shows.
PREVIEW = 100


@dataclass
class Said:
    """A message, and who still has it."""

    pk: int
    sender: int
    recipient: int
    conversation: str
    content: str
    parent: int | None
    is_read: bool = False
    #: The recipient deleted it.
    hidden: bool = False

    def visible_to(self, user: int) -> bool:
        return user == self.sender or (user == self.recipient and not self.hidden)

    def unread_by(self, user: int) -> bool:
        return user == self.recipient and not self.hidden and not self.is_read

    def shown(self) -> dict[str, object]:
        """The keys of the API's message object but its times."""
        return {
            "id": self.pk,
            "sender_id": self.sender,
            "recipient_id": self.recipient,
            "content": self.content,
            "is_read": self.is_read,
            "parent_id": self.parent,
            "conversation_id": self.conversation,
        }


@dataclass
class World:
    """Everything that was done, and what follows from it for each user."""

    names: dict[int, str]
    messages: dict[int, Said] = field(default_factory=dict)
    pairs: dict[str, frozenset[int]] = field(default_factory=dict)
    blocks: set[tuple[int, int]] = field(default_factory=set)
    disabled: set[int] = field(default_factory=set)
    #: By report id: who filed it, and about which message.
    reports: dict[int, tuple[int, int]] = field(default_factory=dict)

    # --- What a request answers, before it changes anything ---

    def status_of_send(
        self, sender: int, recipient: int | None, conversation: str | None, parent: int | None
    ) -> int:
        if sender in self.disabled:
            return 401
        if recipient == sender:
            return 400
        if recipient in self.disabled:
            return 404
        name = conversation or default_name(sender, recipient or 0)
        pair = self.pairs.get(name)
        if pair is None:
            if not may_start(name, sender, recipient):
                return 404
            if recipient is None:
                return 400
            other = recipient
        elif sender not in pair:
            return 404
        else:
            (other,) = pair - {sender}
        if recipient is not None and recipient != other:
            return 400
        if other in self.disabled:
            return 404
        if self.blocks & {(sender, other), (other, sender)}:
            return 403
        if parent is not None and not self._is_parent(parent, sender, name):
            return 400
        return 201

    def _is_parent(self, parent: int, sender: int, conversation: str) -> bool:
        said = self.messages.get(parent)
        return said is not None and said.conversation == conversation and said.visible_to(sender)

    def status_of(self, user: int, message: int, *, only: str | None = None) -> int:
        """The status of a request to one message; `only` names the side that may make it."""
        if user in self.disabled:
            return 401
        said = self.messages.get(message)
        if said is None or not said.visible_to(user):
            return 404
        return 403 if only and getattr(said, only) != user else 200

    # --- What happens ---

    def send(self, said: Said) -> None:
        assert said.pk > max(self.messages, default=0), "ids ascend"
        self.pairs.setdefault(said.conversation, frozenset({said.sender, said.recipient}))
        self.messages[said.pk] = said

    def delete(self, user: int, message: int) -> None:
        said = self.messages[message]
        if user == said.recipient:
            said.hidden = True
            return
        del self.messages[message]
        for reply in self.messages.values():
            if reply.parent == message:
                reply.parent = None

    # --- What each sees ---

    def seen_by(self, user: int) -> list[Said]:
        return [said for _, said in sorted(self.messages.items()) if said.visible_to(user)]

    def unread(self, user: int) -> list[Said]:
        return [said for said in self.seen_by(user) if said.unread_by(user)]

    def conversations_of(self, user: int) -> list[dict[str, object]]:
        """The keys of the API's conversation object but its time, latest activity first."""
        last = {said.conversation: said for said in self.seen_by(user)}
        return [
            self._summary(user, said)
            for said in sorted(last.values(), key=lambda said: said.pk, reverse=True)
        ]

    def _summary(self, user: int, last: Said) -> dict[str, object]:
        other = last.recipient if last.sender == user else last.sender
        return {
            "conversation_id": last.conversation,
            "other_user_id": other,
            "other_user_name": self.names[other],
            "other_user_kind": "person",
            "last_message": last.content[:PREVIEW],
            "unread_count": sum(said.conversation == last.conversation for said in self.unread(user)),
        }

    def people_for(self, user: int) -> list[int]:
        """Whom the directory shows, by username."""
        hidden = {other for pair in self.blocks if user in pair for other in pair} | self.disabled | {user}
        return sorted(self.names.keys() - hidden, key=lambda other: self.names[other])

    def reports_of(self, user: int) -> list[tuple[int, int | None]]:
        """(report, message that is still there), newest first."""
        return [
            (report, message if message in self.messages else None)
            for report, (reporter, message) in sorted(self.reports.items(), reverse=True)
            if reporter == user
        ]

    def rooms_of(self, user: int) -> Iterator[str]:
        return (name for name, pair in self.pairs.items() if user in pair)


@dataclass
class Follower:
    """What a client knows that reads nothing but its events, from the start."""

    cursor: str = ""
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    blocked: set[int] = field(default_factory=set)

    def take(self, kind: str, data: dict[str, Any]) -> None:
        match kind:
            case "message.created" | "message.updated":
                self.messages[data["message"]["id"]] = data["message"]
            case "message.deleted":
                self.messages.pop(data["message_id"], None)
            case "message.read":
                self._mark(data["reader_id"], [data["message_id"]])
            case "conversation.read":
                told = (m for m in self.messages.values() if m["conversation_id"] == data["conversation_id"])
                self._mark(data["reader_id"], [m["id"] for m in told if m["id"] <= data["up_to_message_id"]])
            case "block.created":
                self.blocked.add(data["user_id"])
            case "block.deleted":
                self.blocked.discard(data["user_id"])

    def _mark(self, reader: int, ids: list[int]) -> None:
        for pk in ids:
            if self.messages.get(pk, {}).get("recipient_id") == reader:
                self.messages[pk]["is_read"] = True


def default_name(one: int, other: int) -> str:
    low, high = sorted((one, other))
    return f"conv_{low}_{high}"


def may_start(name: str, sender: int, recipient: int | None) -> bool:
    """A pair's own id is for that pair; any other id is for the pair that uses it first."""
    if not name.startswith("conv_"):
        return True
    named = {int(part) for part in name.split("_")[1:]}
    return sender in named and (recipient is None or recipient in named)
