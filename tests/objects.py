"""One object of every kind in every state, everybody who might ask for it, and what they are to it."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from django.utils import timezone
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import Session, User
from accounts.services.users import disable_user
from conftest import ApiClient
from messaging.models import Message, default_conversation_id
from messaging.services.messages import delete_message
from reports.models import Report
from reports.services import moderate_report
from tests.factories import (
    AddressFactory,
    BlockFactory,
    MessageFactory,
    PersonalTokenFactory,
    ReplyFactory,
    ReportFactory,
    SessionFactory,
    UserFactory,
)

LIVE = ["alice", "bob", "carol", "moderator", "superuser", "clerk"]
#: Roles with credentials that are not valid, or not any more; most of them are alice's.
DEAD = ["anonymous", "garbage", "refresh token", "expired token", "revoked session", "expired session"]
DEAD += ["disabled user", "deleted user"]
NOBODY: dict[str, str] = {}
UNKNOWN = "missing"

# By kind and object, what each role is to it. For all other roles it does not exist.
OBJECTS: dict[str, dict[str, dict[str, str]]] = {
    "message": {
        "alice to bob": {"alice": "sender", "bob": "recipient"},
        "bob to alice": {"alice": "recipient", "bob": "sender"},
        "alice to bob, read": {"alice": "sender", "bob": "recipient"},
        "between strangers": NOBODY,
        "alice to bob, deleted by bob": {"alice": "sender"},
        "bob to alice, deleted by alice": {"bob": "sender"},
        "alice to bob, deleted by alice": NOBODY,
        "bob to alice, deleted by bob": NOBODY,
        "a disabled user to alice": {"alice": "recipient"},
        "alice to a disabled user": {"alice": "sender, apart"},  # she blocked that user
        "a deleted user to alice": {"alice": "recipient"},
        "alice to a deleted user": {"alice": "sender"},
        "a deleted user to alice, deleted by alice": NOBODY,
        "between a disabled and a deleted user": NOBODY,
        "somebody to the superuser": {"superuser": "recipient"},
        UNKNOWN: NOBODY,
    },
    "session": {
        "of alice": {"alice": "user"},
        "of bob": {"bob": "user"},
        "of a stranger": NOBODY,
        "of the superuser": {"superuser": "user"},
        "of alice, ended": NOBODY,
        "of alice, expired": NOBODY,
        "of a disabled user": NOBODY,
        "of a deleted user": NOBODY,
        UNKNOWN: NOBODY,
    },
    "token": {
        "of alice": {"alice": "user"},
        "of bob": {"bob": "user"},
        "of a stranger": NOBODY,
        "of the superuser": {"superuser": "user"},
        "of alice, revoked": NOBODY,
        "of alice, expired": NOBODY,
        "of a disabled user": NOBODY,
        "of a deleted user": NOBODY,
        UNKNOWN: NOBODY,
    },
    "address": {
        "of alice": {"alice": "user"},
        "of alice, opted out": {"alice": "user"},
        "of bob": {"bob": "user"},
        "of a stranger": NOBODY,
        "of the superuser": {"superuser": "user"},
        "of a disabled user": NOBODY,
        "of a deleted user": NOBODY,
        "of nobody": NOBODY,
        UNKNOWN: NOBODY,
    },
    "blocked": {
        "by alice": {"alice": "blocker"},
        "by bob": {"bob": "blocker"},
        "by a stranger": NOBODY,
        "by alice, disabled": {"alice": "blocker"},
        "by a disabled user": NOBODY,
        "a deleted user": NOBODY,
        "not blocked": NOBODY,
        UNKNOWN: NOBODY,
    },
    "conversation": {
        "of alice and bob": {"alice": "member", "bob": "member"},
        "of alice and bob, by another id": {"alice": "member", "bob": "member"},
        "of alice and bob, emptied by alice": {"alice": "member", "bob": "member"},
        "of strangers": NOBODY,
        "of strangers, by another id": NOBODY,
        "of strangers, emptied": NOBODY,
        "of alice and a disabled user": {"alice": "left alone"},
        "of alice and a deleted user": {"alice": "left alone"},
        "of alice and whom she blocked": {"alice": "apart"},
        "of two who are gone": NOBODY,
        "of alice and carol, not begun": {"alice": "free", "carol": "free"},
        "begun by nobody": dict.fromkeys(LIVE, "free"),
        UNKNOWN: NOBODY,
    },
    "reply": {
        "to alice": {"alice": "asker"},
        "to alice, running": {"alice": "asker"},
        "to alice, failed": {"alice": "asker, failed"},
        "to alice, its question deleted": {"alice": "asker"},
        "to bob": {"bob": "asker"},
        "to a stranger": NOBODY,
        "to the superuser": {"superuser": "asker"},
        "to a disabled user": NOBODY,
        "to a deleted user": NOBODY,
        UNKNOWN: NOBODY,
    },
    "report": {
        "of alice": {"alice": "reporter", "superuser": "overseer"},
        "of alice, in progress": {"alice": "waiting", "superuser": "overseer"},
        "of alice, resolved": {"alice": "waiting", "superuser": "overseer"},
        "of alice, its message deleted": {"alice": "reporter", "superuser": "overseer"},
        "of bob, about alice": {"bob": "reporter", "superuser": "overseer"},
        "of a stranger": {"superuser": "overseer"},
        "of a disabled user": {"superuser": "overseer"},
        "of a deleted user": {"superuser": "overseer"},
        "of the superuser": {"superuser": "reporter"},
        UNKNOWN: NOBODY,
    },
}
#: Path segments that cannot be ids are not found either.
NO_IDS = {kind: ["0", "-1", "1.0", "01", "abc", "9" * 25, "%00", "%F0%9F%94%91"] for kind in OBJECTS}
NO_IDS["conversation"] = [
    "conv_01_2",
    "conv_2_1",
    "conv_1_1",
    "x" * 101,
    "%20",
    "a%0Ab",
    "%00",
    "%F0%9F%94%91",
]


@dataclass
class Cast:
    """Everybody. dan is disabled and gina deleted once all objects are made."""

    alice: User
    bob: User
    carol: User
    moderator: User
    superuser: User
    clerk: User
    dan: User = field(default_factory=partial(UserFactory, username="dan"))
    gina: User = field(default_factory=partial(UserFactory, username="gina"))
    erin: User = field(default_factory=partial(UserFactory, username="erin"))
    frank: User = field(default_factory=partial(UserFactory, username="frank"))


def log_in(cast: Cast, as_user: ApiClient, time_machine: TimeMachineFixture) -> dict[str, APIClient]:
    """A client for every role. Time stands still from here on."""
    now = timezone.now()
    time_machine.move_to(now - timedelta(minutes=31), tick=False)
    late = as_user(cast.alice)
    time_machine.move_to(now, tick=False)
    revoked, over, swapped, garbage = *(as_user(cast.alice) for _ in range(3)), APIClient()
    Session.objects.filter(pk=revoked.session_row.pk).update(is_active=False)
    Session.objects.filter(pk=over.session_row.pk).update(expires_at=now)
    swapped.credentials(HTTP_AUTHORIZATION=f"Bearer {swapped.tokens.refresh_token}")
    garbage.credentials(HTTP_AUTHORIZATION="Bearer e30.e30.e30")
    dead = [APIClient(), garbage, swapped, late, revoked, over, as_user(cast.dan), as_user(cast.gina)]
    live = {role: as_user(getattr(cast, role)) for role in LIVE}
    return {**live, **dict(zip(DEAD, dead, strict=True))}


def make_objects(cast: Cast, clients: dict[str, APIClient]) -> dict[str, dict[str, Any]]:
    """The id that stands in the path, by kind and object."""
    made = {
        "message": _messages(cast),
        "session": _sessions(cast, clients),
        "token": _tokens(cast),
        "address": _addresses(cast),
        "conversation": _conversations(cast),
        "reply": _replies(cast),
        "report": _reports(cast),
        # Last, since nobody can write to somebody who blocked them.
        "blocked": _blocks(cast),
    }
    shut_out(cast)
    unknown = {**dict.fromkeys(made, 2**40), "conversation": f"conv_{2**40}_{2**41}"}
    found = {kind: {**names, UNKNOWN: unknown[kind]} for kind, names in made.items()}
    assert {kind: set(names) for kind, names in found.items()} == {
        kind: set(names) for kind, names in OBJECTS.items()
    }
    return {kind: {**names, **{no: no for no in NO_IDS[kind]}} for kind, names in found.items()}


def shut_out(cast: Cast) -> None:
    disable_user(cast.dan, actor=cast.superuser)
    cast.gina.delete()


def _replies(cast: Cast) -> dict[str, int]:
    deleted = ReplyFactory(asker=cast.alice)
    made = {
        "to alice": ReplyFactory(asker=cast.alice),
        "to alice, running": ReplyFactory(asker=cast.alice, state="running", text="So far"),
        "to alice, failed": ReplyFactory(asker=cast.alice, state="failed"),
        "to alice, its question deleted": deleted,
        "to bob": ReplyFactory(asker=cast.bob),
        "to a stranger": ReplyFactory(asker=cast.erin),
        "to the superuser": ReplyFactory(asker=cast.superuser),
        "to a disabled user": ReplyFactory(asker=cast.dan),
        "to a deleted user": ReplyFactory(asker=cast.gina),
    }
    delete_message(deleted.question, actor=cast.alice)
    return {name: reply.pk for name, reply in made.items()}


def _messages(cast: Cast) -> dict[str, int]:
    def send(sender: User, recipient: User, deleted_by: User | None = None, **more: Any) -> int:
        message = MessageFactory(sender=sender, recipient=recipient, **more)
        pk: int = message.pk
        if deleted_by:
            delete_message(message, actor=deleted_by)
        return pk

    alice, bob, dan, gina = cast.alice, cast.bob, cast.dan, cast.gina
    return {
        "alice to bob": send(alice, bob),
        "bob to alice": send(bob, alice),
        "alice to bob, read": send(alice, bob, is_read=True),
        "between strangers": send(cast.erin, cast.frank),
        "alice to bob, deleted by bob": send(alice, bob, bob),
        "bob to alice, deleted by alice": send(bob, alice, alice),
        "alice to bob, deleted by alice": send(alice, bob, alice),
        "bob to alice, deleted by bob": send(bob, alice, bob),
        "a disabled user to alice": send(dan, alice),
        "alice to a disabled user": send(alice, dan),
        "a deleted user to alice": send(gina, alice),
        "alice to a deleted user": send(alice, gina),
        "a deleted user to alice, deleted by alice": send(gina, alice, alice),
        "between a disabled and a deleted user": send(dan, gina),
        "somebody to the superuser": send(cast.erin, cast.superuser),
    }


def _sessions(cast: Cast, clients: dict[str, APIClient]) -> dict[str, int]:
    return {
        "of alice": clients["alice"].session_row.pk,
        "of bob": clients["bob"].session_row.pk,
        "of a stranger": SessionFactory(user=cast.erin).pk,
        "of the superuser": clients["superuser"].session_row.pk,
        "of alice, ended": clients["revoked session"].session_row.pk,
        "of alice, expired": clients["expired session"].session_row.pk,
        "of a disabled user": SessionFactory(user=cast.dan).pk,
        "of a deleted user": SessionFactory(user=cast.gina).pk,
    }


def _tokens(cast: Cast) -> dict[str, int]:
    now = timezone.now()
    tokens = {
        "of alice": PersonalTokenFactory(user=cast.alice),
        "of bob": PersonalTokenFactory(user=cast.bob),
        "of a stranger": PersonalTokenFactory(user=cast.erin),
        "of the superuser": PersonalTokenFactory(user=cast.superuser),
        "of alice, revoked": PersonalTokenFactory(user=cast.alice, revoked_at=now),
        "of alice, expired": PersonalTokenFactory(user=cast.alice, expires_at=now),
        "of a disabled user": PersonalTokenFactory(user=cast.dan),
        "of a deleted user": PersonalTokenFactory(user=cast.gina),
    }
    return {name: token.pk for name, token in tokens.items()}


def _addresses(cast: Cast) -> dict[str, int]:
    addresses = {
        "of alice": AddressFactory(user=cast.alice),
        "of alice, opted out": AddressFactory(user=cast.alice, opted_out_at=timezone.now()),
        "of bob": AddressFactory(user=cast.bob),
        "of a stranger": AddressFactory(user=cast.erin),
        "of the superuser": AddressFactory(user=cast.superuser),
        "of a disabled user": AddressFactory(user=cast.dan),
        "of a deleted user": AddressFactory(user=cast.gina),
        "of nobody": AddressFactory(user=None, linked_at=None, proof="none"),
    }
    return {name: address.pk for name, address in addresses.items()}


def _blocks(cast: Cast) -> dict[str, int]:
    blocks = {
        "by alice": BlockFactory(blocker=cast.alice),
        "by bob": BlockFactory(blocker=cast.bob),
        "by a stranger": BlockFactory(blocker=cast.erin),
        "by alice, disabled": BlockFactory(blocker=cast.alice, blocked=cast.dan),
        "by a disabled user": BlockFactory(blocker=cast.dan),
        "a deleted user": BlockFactory(blocker=cast.alice, blocked=cast.gina),
    }
    return {**{name: block.blocked_id for name, block in blocks.items()}, "not blocked": UserFactory().pk}


def _conversations(cast: Cast) -> dict[str, str]:
    def talk(one: User, other: User, conversation: str | None = None, empty: bool = False) -> str:
        message = MessageFactory(sender=one, recipient=other, conversation_id=conversation)
        name: str = message.conversation_id
        if empty:
            delete_message(message, actor=one)
        return name

    alice, bob, erin, frank, enemy = cast.alice, cast.bob, cast.erin, cast.frank, UserFactory()
    blocked = talk(alice, enemy)
    BlockFactory(blocker=alice, blocked=enemy)
    return {
        "of alice and bob": talk(alice, bob),
        "of alice and bob, by another id": talk(alice, bob, "team:1"),
        "of alice and bob, emptied by alice": talk(alice, bob, "team:2", empty=True),
        "of strangers": talk(erin, frank),
        "of strangers, by another id": talk(erin, frank, "den:1"),
        "of strangers, emptied": talk(erin, frank, "den:2", empty=True),
        "of alice and a disabled user": talk(alice, cast.dan),
        "of alice and a deleted user": talk(alice, cast.gina),
        "of alice and whom she blocked": blocked,
        "of two who are gone": talk(cast.dan, cast.gina),
        "of alice and carol, not begun": default_conversation_id(alice.pk, cast.carol.pk),
        "begun by nobody": "nobody:1",
    }


def _reports(cast: Cast) -> dict[str, int]:
    alice, bob, superuser = cast.alice, cast.bob, cast.superuser
    gone, insult = MessageFactory(sender=bob, recipient=alice), MessageFactory(sender=alice, recipient=bob)
    reports = {
        "of alice": ReportFactory(reporter=alice),
        "of alice, in progress": ReportFactory(reporter=alice),
        "of alice, resolved": ReportFactory(reporter=alice),
        "of alice, its message deleted": ReportFactory(reporter=alice, message=gone),
        "of bob, about alice": ReportFactory(reporter=bob, message=insult, message_sender=alice),
        "of a stranger": ReportFactory(reporter=cast.erin),
        "of a disabled user": ReportFactory(reporter=cast.dan),
        "of a deleted user": ReportFactory(reporter=cast.gina),
        "of the superuser": ReportFactory(reporter=superuser),
    }
    moderate_report(reports["of alice, in progress"], actor=superuser, status=Report.Status.IN_PROGRESS)
    moderate_report(reports["of alice, resolved"], actor=superuser, status=Report.Status.RESOLVED)
    Message.objects.filter(pk=gone.pk).delete()
    return {name: report.pk for name, report in reports.items()}
