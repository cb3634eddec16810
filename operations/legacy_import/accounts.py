"""Reads accounts, and decides what happens to those whose names clash."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

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
from operations.legacy_import.names import EMAIL_MAX_LENGTH, Names
from operations.legacy_import.source import OldMessage, OldUser, Source, TimedRow
from operations.legacy_import.writing import chunks

NAME_MAX_LENGTH = 255
#: By column, why an account is refused.
WITHOUT = {"username": "has no username that could be stored", "email": "has no e-mail address"}
CLASHES = {
    "username": "username is another account's, but for its case",
    "email": "e-mail address is another account's, but for its case",
}


def read_username(old: OldUser) -> str:
    # No text that is longer than that normalises to a valid name.
    return User.normalize_username(read_text(old.username)[: SENT_MAX_LENGTH + 1]).strip()


def read_email(old: OldUser) -> str:
    email: str = User.objects.normalize_email(read_text(old.email).strip())
    return email


def read_phone(old: OldUser) -> str | None:
    """In E.164; None if empty. Raises ValueError if it is no international number."""
    raw = read_text(old.phone_number).strip()
    return to_e164(raw) if raw else None


@dataclass
class Survey:
    """What is known only after reading all accounts. All keys are account ids."""

    #: Reasons for refusing an account, each with the id of the account that it clashes with.
    refused: dict[int, list[tuple[str, int | None]]] = field(default_factory=dict)
    #: By column, the value that replaces a clashing or missing one.
    repaired: dict[int, dict[str, str]] = field(default_factory=dict)
    #: The earlier account that has the same phone number.
    phones: dict[int, int] = field(default_factory=dict)


def survey_accounts(source: Source, *, repair: bool) -> Survey:
    """Finds clashing and missing names. Of accounts that clash, the one with the lowest id keeps the name.

    The others are refused, or with `repair` get a free username or address.
    """
    names = Names()
    survey = Survey()
    lacking: dict[int, list[str]] = {}
    for old in source.rows(OldUser):
        pk = read_own_id(old.id)
        if pk is None:
            continue
        for column, value, limit in (
            ("username", read_username(old), USERNAME_MAX_LENGTH),
            ("email", read_email(old), EMAIL_MAX_LENGTH),
        ):
            if 0 < len(value) <= limit:
                names.add(column, fold(value), pk, value)
            else:
                lacking.setdefault(pk, []).append(column)
        with suppress(ValueError):
            if phone := read_phone(old):
                names.add("phone", phone, pk, phone)
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


def map_user(old: OldUser, *, survey: Survey, now: datetime, before: datetime, findings: Findings) -> User:
    """Makes the new account. `before` is when the previous one was created, `now` when the import began."""
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
        # `write_user_roles` adds those who hold a role with permissions.
        is_staff=is_superuser,
        created_at=created_at,
        updated_at=updated_at,
    )
    # `insert` does not call pre_save, which fills these.
    for key in User._meta.local_concrete_fields:
        if key.name in ("username_key", "email_key", "name_words"):
            key.pre_save(user, add=True)
    return user


def without_taken(users: list[User], findings: Findings, *, using: str) -> list[User]:
    # Since the import began, people may have registered here.
    for key, what in (("username_key", "username"), ("email_key", "e-mail address")):
        taken = _values_taken(key, users, using=using)
        for user in users:
            if getattr(user, key) in taken:
                findings.refuse(user.pk, f"its {what} is taken in the new database")
        users = [user for user in users if getattr(user, key) not in taken]
    numbers = _values_taken("phone_number", users, using=using)
    for user in users:
        if user.phone_number in numbers:
            findings.change(user.pk, "phone number left out: it is taken in the new database")
            user.phone_number = None
    return users


def _values_taken(column: str, users: Iterable[User], *, using: str) -> set[str]:
    taken: set[str] = set()
    for some in chunks({getattr(user, column) for user in users} - {None}):
        here = User.objects.using(using).filter(**{f"{column}__in": some})
        taken.update(here.order_by().values_list(column, flat=True))
    return taken


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
    encoded = read_text(old.hashed_password).strip()
    # A hash that costs more than ours would show by the time of a login that the account exists.
    if is_checkable(encoded):
        return f"bcrypt${encoded}"
    why = f"costs more than 2^{MAX_COST}" if is_bcrypt(encoded) else "is no bcrypt"
    findings.change(int(old.id), f"password lost: its hash {why}; a superuser can set another")
    unusable: str = make_password(None)
    return unusable


def read_old_flag(old: OldUser | OldMessage, name: str, findings: Findings) -> bool:
    # NULL counts as no, as it did in the old backend.
    value = read_flag(getattr(old, name))
    if value is None:
        findings.change(old.id, f"{name} taken as no: it says neither yes nor no")
    return bool(value)


def note_unclean(old: TimedRow, names: list[str], findings: Findings) -> None:
    for name in names:
        if not is_clean(getattr(old, name)):
            findings.change(old.id, f"{name} rid of what is no text", "NUL, broken UTF-8, or no text at all")


def read_times(
    old: TimedRow, *, now: datetime, before: datetime, findings: Findings
) -> tuple[datetime, datetime]:
    """created_at and updated_at, neither after `now`.

    A missing created_at becomes updated_at, or else `before`, when the previous row was created.
    """
    created_at, updated_at = read_time(old.created_at), read_time(old.updated_at)
    if created_at is None:
        findings.change(old.id, "created_at guessed: there was no time")
    made = created_at or updated_at or before
    if made > now:
        findings.change(old.id, "created_at lay in the future: taken as the time of the import")
        made = now
    changed = min(updated_at or made, now)
    # The old backend read the clock once per column. Here both are equal until an edit.
    if (changed - made).total_seconds() < 1:
        changed = made
    return made, changed
