"""Roles and who holds them."""

from datetime import datetime

from django.contrib.auth.models import Group

from accounts.models import MODERATOR, Role, User
from accounts.services.roles import update_staff_flag
from operations.legacy_import.accounts import note_unclean, read_times
from operations.legacy_import.cells import read_id, read_own_id, read_text
from operations.legacy_import.findings import Findings
from operations.legacy_import.source import OldRole, OldUserRole, Source
from operations.legacy_import.writing import chunks, insert

NAME_MAX_LENGTH = 150
DESCRIPTION_MAX_LENGTH = 255
#: Django's groups have 32-bit ids; half of them stay free.
LARGEST_ROLE_ID = 2**30


def read_name(old: OldRole) -> str:
    return read_text(old.name).strip()[:NAME_MAX_LENGTH] or f"role-{old.id}"


def renumber_moderator(source: Source, *, using: str) -> None:
    """Gives the role that migrations created the id that it has in the source, or one that is free there."""
    ids: dict[int, str] = {}
    for old in source.rows(OldRole):
        pk = read_own_id(old.id)
        if pk is not None and pk <= LARGEST_ROLE_ID:
            ids[pk] = read_name(old)
    role = Role._base_manager.using(using).filter(name=MODERATOR).first()
    if role is None:
        return
    own = [pk for pk, name in ids.items() if name == MODERATOR]
    wanted = own[0] if own else role.pk if role.pk not in ids else max(ids) + 1
    if wanted == role.pk:
        return
    permissions = list(role.permissions.all())
    moved = Role(pk=wanted, name=role.name, description=role.description, created_at=role.created_at)
    role.delete(using=using)
    moved.save(using=using, force_insert=True)
    moved.permissions.set(permissions)


def write_roles(
    rows: list[OldRole], *, now: datetime, before: datetime, findings: Findings, using: str
) -> list[Role]:
    standing = set(Group.objects.using(using).values_list("name", flat=True))
    taken = set(Group.objects.using(using).values_list("pk", flat=True))
    groups, roles = [], []
    for old in rows:
        pk, name = int(old.id), read_name(old)
        if name == MODERATOR:
            findings.change(pk, "merged: who holds it can work reports in the admin", f"role {MODERATOR!r}")
        elif name in standing:
            findings.change(pk, "merged with the earlier role of that name")
        elif pk > LARGEST_ROLE_ID or pk in taken:
            findings.refuse(pk, "its id is taken here, or too large for a role")
        else:
            standing.add(name)
            taken.add(pk)
            created_at, updated_at = read_times(old, now=now, before=before, findings=findings)
            note_unclean(old, ["name", "description"], findings)
            description = read_text(old.description)
            if len(description) > DESCRIPTION_MAX_LENGTH:
                findings.change(pk, "description cut to 255 characters")
            groups.append(Group(pk=pk, name=name))
            roles.append(
                Role(
                    group_ptr_id=pk,
                    name=name,
                    description=description[:DESCRIPTION_MAX_LENGTH],
                    created_at=created_at,
                    updated_at=updated_at,
                )
            )
    insert(Group, groups, using=using)
    insert(Role, roles, using=using)
    return roles


def map_role_ids(source: Source, *, using: str) -> dict[int, int]:
    here = dict(Group.objects.using(using).values_list("name", "pk"))
    found = {read_own_id(old.id): here.get(read_name(old)) for old in source.rows(OldRole)}
    return {old: new for old, new in found.items() if old is not None and new is not None}


def write_user_roles(
    rows: list[OldUserRole],
    *,
    roles: dict[int, int],
    accounts: set[int],
    findings: Findings,
    using: str,
) -> int:
    """Gives users their roles and updates `is_staff`. Returns how many roles were given."""
    through = User.groups.through
    wanted: dict[tuple[int, int], int] = {}
    for old in rows:
        user_id, role_id = read_id(old.user_id), roles.get(read_id(old.role_id) or 0)
        if user_id not in accounts:
            findings.refuse(old.id, "its account is not there", f"account {read_text(old.user_id)}")
        elif role_id is None:
            findings.refuse(old.id, "its role is not there", f"role {read_text(old.role_id)}")
        elif (user_id, role_id) in wanted:
            findings.refuse(old.id, "says again what another row says", f"account {user_id}")
        else:
            wanted[user_id, role_id] = old.id
    for some in chunks({user_id for user_id, _ in wanted}):
        held = through.objects.using(using).filter(user_id__in=some)
        for pair in held.values_list("user_id", "group_id"):
            if pair in wanted:
                findings.refuse(wanted.pop(pair), "says again what another row says", f"account {pair[0]}")
    through.objects.using(using).bulk_create(
        through(user_id=user_id, group_id=role_id) for user_id, role_id in wanted
    )
    for some in chunks({user_id for user_id, _ in wanted}):
        update_staff_flag(User.objects.using(using).filter(pk__in=some))
    return len(wanted)
