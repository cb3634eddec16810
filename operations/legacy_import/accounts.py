"""Accounts: which of them clash, and what becomes of each."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.hashers import MAX_COST, is_bcrypt, is_checkable
from accounts.models import User
from accounts.names import SENT_MAX_LENGTH, USERNAME_MAX_LENGTH, validate_username
from accounts.phones import to_e164
from aimessage.db.text import fold, without_controls
from operations.legacy_import.cells import is_clean, read_flag, read_own_id, read_text, read_time
from operations.legacy_import.findings import Findings
from operations.legacy_import.source import OldUser, Source

EMAIL_MAX_LENGTH = 255
NAME_MAX_LENGTH = 255
#: For accounts without an address; nobody can have one there (RFC 2606).
NO_ADDRESS = "missing.invalid"

#: Why an account cannot be taken as it is, by the column.
WITHOUT = {"username": "has no username that could be stored", "email": "has no e-mail address"}
CLASHES = {
    "username": "username is another account's, but for its case",
    "email": "e-mail address is another account's, but for its case",
}


def read_username(old: OldUser) -> str:
    # A longer one is not stored, normalised or not.
    return User.normalize_username(read_text(old.username)[: SENT_MAX_LENGTH + 1]).strip()


def read_email(old: OldUser) -> str:
    email: str = User.objects.normalize_email(read_text(old.email).strip())
    return email


def read_phone(old: OldUser) -> str | None:
    """In E.164, None where there is none. Raises ValueError for what is no international number."""
    raw = read_text(old.phone_number).strip()
    return to_e164(raw) if raw else None


@dataclass
class Survey:
    """What no account can be judged by alone."""

    #: By the account's id, why it cannot be taken, with the id of the account that it clashes with.
    refused: dict[int, list[tuple[str, int | None]]] = field(default_factory=dict)
    #: By the account's id, the columns that it gets other values for.
    repaired: dict[int, dict[str, str]] = field(default_factory=dict)
    #: Accounts with a phone number that an earlier account has → that account.
    phones: dict[int, int] = field(default_factory=dict)


def survey_accounts(source: Source, *, repair: bool) -> Survey:
    """Goes over all accounts. The oldest of those that clash keeps what it has.

    With `repair` the others get another username or address, which nobody else has.
    """
    names = _Names()
    survey = Survey()
    lacking: dict[int, list[str]] = {}
    for old in source.rows("users"):
        pk = read_own_id(old.id)
        if pk is None:
            continue
        username, email = read_username(old), read_email(old)
        if 0 < len(username) <= USERNAME_MAX_LENGTH:
            names.add("username", fold(username), pk, username)
        else:
            lacking.setdefault(pk, []).append("username")
        if 0 < len(email) <= EMAIL_MAX_LENGTH:
            names.add("email", fold(email), pk, email)
        else:
            lacking.setdefault(pk, []).append("email")
        try:
            if phone := read_phone(old):
                names.add("phone", phone, pk, phone)
        except ValueError:
            pass
    for column, pk, first, value in names.clashes():
        if column == "phone":
            survey.phones[pk] = first
        elif repair:
            survey.repaired.setdefault(pk, {})[column] = names.find_free(column, pk, value)
        else:
            survey.refused.setdefault(pk, []).append((CLASHES[column], first))
    for pk, columns in lacking.items():
        for column in columns:
            if repair:
                survey.repaired.setdefault(pk, {})[column] = names.find_free(column, pk, "")
            else:
                survey.refused.setdefault(pk, []).append((WITHOUT[column], None))
    names.close()
    return survey


class _Names:
    """Who has which name. On disk, since a million names want more memory than an import needs."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("")
        self._connection.execute("CREATE TABLE names (kind TEXT, key TEXT, id INTEGER, value TEXT)")
        self._connection.execute("CREATE INDEX names_key ON names (kind, key, id)")

    def add(self, kind: str, key: str, pk: int, value: str) -> None:
        self._connection.execute("INSERT INTO names VALUES (?, ?, ?, ?)", [kind, key, pk, value])

    def clashes(self) -> list[tuple[str, int, int, str]]:
        """Each name that an earlier account has: its kind, the account, the earlier one, the name."""
        query = """
            SELECT names.kind, names.id, first.id, names.value
            FROM (SELECT kind, key, min(id) AS id FROM names GROUP BY kind, key HAVING count(*) > 1) AS first
            JOIN names ON names.kind = first.kind AND names.key = first.key AND names.id > first.id
            ORDER BY names.id, names.kind
        """
        return self._connection.execute(query).fetchall()

    def find_free(self, kind: str, pk: int, value: str) -> str:
        """`bob` as `bob-17`, `bob@example.org` as `bob+17@example.org`, and so on until nobody has it."""
        for suffix in _suffixes(pk):
            candidate = _with_suffix(kind, value, suffix)
            key = fold(candidate)
            query = "SELECT 1 FROM names WHERE kind = ? AND key = ?"
            if not self._connection.execute(query, [kind, key]).fetchone():
                self.add(kind, key, pk, candidate)
                return candidate
        raise AssertionError("there are more numbers than names")

    def close(self) -> None:
        self._connection.close()


def _suffixes(pk: int) -> Iterator[str]:
    yield str(pk)
    yield from (f"{pk}-{number}" for number in range(2, 2**31))


def _with_suffix(kind: str, value: str, suffix: str) -> str:
    if kind == "username":
        room = USERNAME_MAX_LENGTH - len(suffix) - 1
        return f"{(value or 'user')[:room]}-{suffix}"
    local, _, domain = value.rpartition("@")
    candidate = f"{local}+{suffix}@{domain}"
    if not local or len(candidate) > EMAIL_MAX_LENGTH:
        candidate = f"user-{suffix}@{NO_ADDRESS}"
    return candidate


def map_user(old: OldUser, *, survey: Survey, now: datetime, before: datetime, findings: Findings) -> User:
    """The account as it is here. `before` is when the one before it was made, `now` the import's time."""
    pk = int(old.id)
    repaired = survey.repaired.get(pk, {})
    username, email = repaired.get("username", read_username(old)), repaired.get("email", read_email(old))
    for column in repaired:
        findings.change(pk, f"{column} replaced", "another account has it, or there was none")
    if "username" not in repaired:
        _note_odd_name(pk, username, findings)
    if "email" not in repaired:
        _note_odd_email(pk, email, findings)
    created_at, updated_at = read_times(old, now=now, before=before, findings=findings)
    is_superuser = bool(read_flag(old.is_superuser))
    full_name = _read_full_name(old, findings)
    if len(full_name) > NAME_MAX_LENGTH:
        findings.change(pk, "full_name cut to 255 characters")
    note_unclean(old, ["username", "email", "full_name", "bio"], findings)
    user = User(
        pk=pk,
        username=username,
        email=email,
        full_name=full_name[:NAME_MAX_LENGTH] or None,
        bio=read_text(old.bio) or None,
        phone_number=_read_own_phone(old, survey, findings),
        password=_read_hash(old, findings),
        is_active=read_old_flag(old, "is_active", findings),
        is_superuser=is_superuser,
        # A role with permissions adds to this once roles are given.
        is_staff=is_superuser,
        created_at=created_at,
        updated_at=updated_at,
    )
    for key in ("username_key", "email_key", "name_words"):
        key_field: Any = User._meta.get_field(key)
        key_field.pre_save(user, add=True)
    return user


def _read_full_name(old: OldUser, findings: Findings) -> str:
    given = read_text(old.full_name)
    plain = without_controls(given)
    if plain != given:
        findings.change(int(old.id), "full_name rid of control characters")
    return plain


def _note_odd_name(pk: int, username: str, findings: Findings) -> None:
    try:
        validate_username(username)
    except ValidationError:
        findings.change(pk, "username kept, though a new account could not have it")


def _note_odd_email(pk: int, email: str, findings: Findings) -> None:
    try:
        validate_email(email)
    except ValidationError:
        findings.change(pk, "e-mail address kept, though it is none")


def _read_own_phone(old: OldUser, survey: Survey, findings: Findings) -> str | None:
    pk = int(old.id)
    try:
        phone = read_phone(old)
    except ValueError:
        findings.change(pk, "phone number left out: it is no international one")
        return None
    if phone and pk in survey.phones:
        findings.change(
            pk, "phone number left out: an earlier account has it", f"account {survey.phones[pk]}"
        )
        return None
    return phone


def _read_hash(old: OldUser, findings: Findings) -> str:
    """The hash where a login can check it; one that costs more would tell by its time that it exists."""
    encoded = read_text(old.hashed_password).strip()
    if is_checkable(encoded):
        return f"bcrypt${encoded}"
    why = f"costs more than 2^{MAX_COST}" if is_bcrypt(encoded) else "is no bcrypt"
    findings.change(int(old.id), f"password lost: its hash {why}; a superuser can set another")
    unusable: str = make_password(None)
    return unusable


def read_old_flag(old: Any, name: str, findings: Findings) -> bool:
    """As the old backend took it, for which nothing was no."""
    value = read_flag(getattr(old, name))
    if value is None:
        findings.change(old.id, f"{name} taken as no: it says neither yes nor no")
    return bool(value)


def note_unclean(old: Any, names: list[str], findings: Findings) -> None:
    for name in names:
        if not is_clean(getattr(old, name)):
            findings.change(old.id, f"{name} rid of what is no text", "NUL, broken UTF-8, or no text at all")


def read_times(old: Any, *, now: datetime, before: datetime, findings: Findings) -> tuple[datetime, datetime]:
    """When the row was made and last changed, neither after `now`.

    Where the row does not know, it was made when it was last changed, else with the row before it.
    """
    created_at, updated_at = read_time(old.created_at), read_time(old.updated_at)
    if created_at is None:
        findings.change(old.id, "created_at guessed: there was no time")
    made = created_at or updated_at or before
    if made > now:
        findings.change(old.id, "created_at lay in the future: taken as the time of the import")
        made = now
    changed = min(updated_at or made, now)
    # The old backend took the time twice, for one column each. Here both are one until an edit.
    if (changed - made).total_seconds() < 1:
        changed = made
    return made, changed
