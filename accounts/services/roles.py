"""Roles: who holds which. A role with permissions opens the admin, the loss of the last shuts it."""

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
    """Gives `user` exactly `roles`."""
    given = list(roles)
    user.groups.set(given)
    update_staff_flag(User.objects.filter(pk=user.pk))
    user.refresh_from_db(fields=["is_staff"])
    names = ", ".join(role.name for role in given) or "none"
    logger.info("roles assigned: user=%s roles=%s by=%s", user.pk, names, actor.pk)


@transaction.atomic
def give_role(user: User, *, role: Group, actor: User | None) -> None:
    """Gives `user` one more role, which opens the admin where it has a permission.

    `actor` is None where it comes with the invitation of somebody who is gone.
    """
    user.groups.add(role)
    update_staff_flag(User.objects.filter(pk=user.pk))
    user.refresh_from_db(fields=["is_staff"])
    logger.info("role given: user=%s role=%s by=%s", user.pk, role.name, actor.pk if actor else None)


@transaction.atomic
def delete_role(role: Role, *, actor: User) -> None:
    """Takes the role from all who hold it, and deletes it."""
    pk, name = role.pk, role.name
    # In this order the holders, who may be many, need not be listed.
    role.permissions.clear()
    update_staff_flag(User.objects.filter(groups=pk))
    role.delete()
    logger.info("role deleted: role=%s name=%s by=%s", pk, name, actor.pk)


def update_staff_flag(users: UserQuerySet) -> None:
    """Lets those of `users` into the admin, and only those, who have something to do there."""
    grants = Group.permissions.through.objects.filter(group__user=OuterRef("pk"))
    let_in = Q(kind=User.Kind.PERSON) & (Q(is_superuser=True) | Exists(grants))
    # Updates only rows whose value changes: a role may have many holders.
    users.filter(let_in, is_staff=False).update(is_staff=True)
    # An admin session from before stays dead when a role lets its owner in again.
    users.filter(~let_in, is_staff=True).update(is_staff=False, admin_epoch=F("admin_epoch") + 1)
