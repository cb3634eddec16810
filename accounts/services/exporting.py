"""Exports everything that an account has here as a zip, which is written while the client reads it.

Rows are read in batches, so that memory and the time of each statement do not grow with the account. An
export that breaks off lacks the zip's directory, so no client takes it for a complete one.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any
from zipfile import ZIP_DEFLATED

import orjson
from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone
from zipstream.ng import ZipStream

from accounts.models import ExternalIdentity, PersonalToken, Session, User
from accounts.services.mails import notify
from aimessage.api.renderers import write_time

#: Rows in memory at a time; a message may have 80 KB.
BATCH = 200

Rows = Iterator[dict[str, Any]]

README = """\
What {username} had on this server on {date}.

profile.json        the account
messages.ndjson     messages sent and received, oldest first, one JSON object a line
conversations.json  conversations, latest activity first
blocks.json         people blocked
reports.json        reports filed
addresses.json      numbers and WhatsApp ids that messages come from and go to
sessions.json       logins of the last months, live or ended
tokens.json         personal tokens, without the tokens themselves
assistant.ndjson    what the assistant was asked, what its tools did, and what that took
allowance.json      whether it may search the messages, and what was used of it, day by day

Times are in UTC. Texts are in UTF-8.
"""

#: File name → function that yields the user's rows. Other apps add theirs in their `ready()`.
sources: dict[str, Callable[[User], Rows]] = {}
#: The order of the files.
NAMES = [
    "messages.ndjson",
    "conversations.json",
    "blocks.json",
    "reports.json",
    "addresses.json",
    "sessions.json",
    "tokens.json",
    "assistant.ndjson",
    "allowance.json",
]


def export(user: User) -> Iterator[bytes]:
    """Yields the bytes of the zip, and mails the user that somebody took it."""
    with transaction.atomic():
        notify(user, "exported")
    return _archive(user)


def _archive(user: User) -> Iterator[bytes]:
    archive = ZipStream(compress_type=ZIP_DEFLATED)
    readme = README.format(username=user.username, date=f"{timezone.now():%Y-%m-%d}")
    archive.add(_write(profile(user)), "profile.json")
    for name in NAMES:
        rows = sources[name](user) if name in sources else iter(())
        archive.add(_lines(rows) if name.endswith(".ndjson") else _array(rows), name)
    archive.add(readme, "README.txt")
    yield from archive


def _write(value: object) -> bytes:
    return orjson.dumps(value, default=_time, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _time(value: object) -> str:
    if isinstance(value, datetime):
        return write_time(value)
    raise TypeError(type(value).__name__)


def _lines(rows: Rows) -> Iterator[bytes]:
    for row in rows:
        yield _write(row) + b"\n"


def _array(rows: Rows) -> Iterator[bytes]:
    first = next(rows, None)
    if first is None:
        yield b"[]\n"
        return
    yield b"[" + _write(first)
    for row in rows:
        yield b",\n" + _write(row)
    yield b"]\n"


def by_id(*branches: QuerySet[Model, Any]) -> Rows:
    """Yields the rows of disjoint branches, oldest first, BATCH at a time. Each row needs an `id`."""
    last = 0
    while True:
        found = chain.from_iterable(branch.filter(pk__gt=last).order_by("pk")[:BATCH] for branch in branches)
        batch = sorted(found, key=lambda row: int(row["id"]))[:BATCH]
        if not batch:
            return
        last = batch[-1]["id"]
        yield from batch


def profile(user: User) -> dict[str, object]:
    columns = [
        *("id", "username", "email", "email_verified_at", "full_name", "bio", "phone_number", "kind"),
        *("is_active", "is_superuser", "last_login", "created_at", "updated_at"),
    ]
    identities = ExternalIdentity.objects.filter(user=user).values("issuer", "subject", "created_at")
    return {**User.objects.values(*columns).get(pk=user.pk), "identities": list(identities)}


def sessions(user: User) -> Rows:
    columns = ["id", "device_info", "ip_address", "is_active", "created_at", "last_used_at", "expires_at"]
    return by_id(Session.objects.filter(user=user).values(*columns))


def personal_tokens(user: User) -> Rows:
    columns = ["id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at"]
    return by_id(PersonalToken.objects.filter(user=user).values(*columns))


sources["sessions.json"] = sessions
sources["tokens.json"] = personal_tokens
