from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.utils import timezone

from aimessage.fields import fold

if TYPE_CHECKING:
    from accounts.models import User


class UserQuerySet(models.QuerySet[Any]):
    def active(self) -> "UserQuerySet":
        return self.filter(is_active=True)

    def superusers(self) -> "UserQuerySet":
        """Those who can still work as one."""
        return self.active().filter(is_superuser=True)

    def named_like(self, prefix: str) -> "UserQuerySet":
        """Those whose username, or a word of whose full name, starts with `prefix`."""
        key = fold(prefix)
        return self.filter(models.Q(username_key__startswith=key) | models.Q(name_words__contains=f" {key}"))


class UserManager(DjangoUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, username: str | None) -> "User":
        """Finds a user for a login, which ignores case."""
        user: User = self.get(username_key=fold(username or ""))
        return user

    def create_user(
        self,
        username: str,
        email: str | None = None,
        password: str | None = None,
        **fields: Any,
    ) -> "User":
        user: User = super().create_user(username, email, password, **fields)
        return user


class SessionQuerySet(models.QuerySet[Any]):
    def live(self, now: datetime | None = None) -> "SessionQuerySet":
        return self.filter(is_active=True, expires_at__gt=now or timezone.now())

    def dead_for(self, age: timedelta) -> "SessionQuerySet":
        """Those that ended, or ran out, longer than `age` ago."""
        before = timezone.now() - age
        ended = models.Q(is_active=False, last_used_at__lt=before)
        return self.filter(ended | models.Q(expires_at__lt=before))
