"""Who holds which role. Anybody who holds a role with a permission may use the admin."""

import logging
from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from accounts.models import Role, User
from accounts.querysets import UserQuerySet

logger = logging.getLogger("auth")


@transaction.atomic
def assign_roles(user: User, roles: Iterable[Group], *, actor: User) -> None:
    given = list(roles)
    user.groups.set(given)
    update_staff_flag(User.objects.filter(pk=user.pk))
    user.refresh_from_db(fields=["is_staff"])
    names = ", ".join(role.name for role in given) or "none"
    logger.info("roles assigned: user=%s roles=%s by=%s", user.pk, names, actor.pk)


@transaction.atomic
def give_role(user: User, *, role: Group, actor: User | None) -> None:
    # There is no actor if the role comes with an invitation and its author is deleted.
    user.groups.add(role)
    update_staff_flag(User.objects.filter(pk=user.pk))
    user.refresh_from_db(fields=["is_staff"])
    logger.info("role given: user=%s role=%s by=%s", user.pk, role.name, actor.pk if actor else None)


@transaction.atomic
def delete_role(role: Role, *, actor: User) -> None:
    pk, name = role.pk, role.name
    # Permissions first: then the holders can be updated by one query, before the role is gone.
    role.permissions.clear()
    update_staff_flag(User.objects.filter(groups=pk))
    role.delete()
    logger.info("role deleted: role=%s name=%s by=%s", pk, name, actor.pk)


def update_staff_flag(users: UserQuerySet) -> None:
    """Sets is_staff to what superuser status and roles say, for `users`."""
    grants = Group.permissions.through.objects.filter(group__user=OuterRef("pk"))
    let_in = Q(kind=User.Kind.PERSON) & (Q(is_superuser=True) | Exists(grants))
    # Updates only rows whose value changes: a role may have many holders.
    users.filter(let_in, is_staff=False).update(is_staff=True)
    # The epoch keeps old admin sessions dead if a role lets the user in again later.
    users.filter(~let_in, is_staff=True).update(is_staff=False, admin_epoch=F("admin_epoch") + 1)
