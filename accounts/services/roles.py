"""Roles: who holds which. A role with permissions opens the admin, the loss of the last shuts it."""

import logging
from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.models import Role, User
from accounts.querysets import UserQuerySet

logger = logging.getLogger("auth")


@transaction.atomic
def assign_roles(user: User, roles: Iterable[Group], *, actor: User) -> None:
    """Gives `user` exactly `roles`."""
    given = list(roles)
    user.groups.set(given)
    settle_staff(User.objects.filter(pk=user.pk))
    user.refresh_from_db(fields=["is_staff"])
    names = ", ".join(role.name for role in given) or "none"
    logger.info("roles assigned: user=%s roles=%s by=%s", user.pk, names, actor.pk)


@transaction.atomic
def delete_role(role: Role, *, actor: User) -> None:
    """Takes the role from all who hold it, and deletes it."""
    pk, name = role.pk, role.name
    holders = list(role.user_set.values_list("pk", flat=True))
    role.delete()
    settle_staff(User.objects.filter(pk__in=holders))
    logger.info("role deleted: role=%s name=%s by=%s", pk, name, actor.pk)


def settle_staff(users: UserQuerySet) -> None:
    """Lets those of `users` into the admin, and only those, who have something to do there."""
    grants = Group.permissions.through.objects.filter(group__user=OuterRef("pk"))
    users.update(is_staff=Q(is_superuser=True) | Exists(grants))
