from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.utils import timezone

from accounts.phones import number_prefix, possible_numbers
from aimessage.db.compiled import Param
from aimessage.db.ids import is_id
from aimessage.db.text import fold

if TYPE_CHECKING:
    from accounts.models import Invitation, PersonalToken, Session, User  # noqa: F401  in QuerySet[…]

#: Users whose sessions or failed logins one search finds.
NAMES_SEARCHED = 1000


class UserQuerySet(models.QuerySet["User"]):
    def active(self) -> "UserQuerySet":
        return self.filter(is_active=True)

    def persons(self) -> "UserQuerySet":
        # Only these may log in.
        return self.filter(kind="person")

    def named(self, username: str) -> "UserQuerySet":
        return self.filter(username_key=fold(username))

    def superusers(self) -> "UserQuerySet":
        return self.active().filter(is_superuser=True)

    def named_like(self, prefix: str) -> "UserQuerySet":
        """Users whose username or a word of the full name starts with `prefix`."""
        key = fold(prefix)
        named = models.Q(name_words__contains=f" {key}")
        # Implied by the condition above, but this one has an index.
        for word in key.split()[:1]:
            named &= models.Q(name_words__word_prefix=word)
        return self.filter(models.Q(username_key__prefix=key) | named)

    def ids_named(self, prefix: str) -> list[int]:
        """The ids of at most NAMES_SEARCHED users whose username starts with `prefix`.

        To filter related rows. With a subquery instead of ids PostgreSQL would walk through the whole table.
        """
        named = self.filter(username_key__prefix=fold(prefix)).order_by()
        return list(named.values_list("pk", flat=True)[:NAMES_SEARCHED])

    def found_by(self, text: str) -> "UserQuerySet":
        """The admin's search. Each condition has an index of its own.

        Every word starts the username, the e-mail address or a word of the name, or the whole text is a
        telephone number in any notation, or an id.
        """
        found = models.Q()
        prefix = number_prefix(text)
        for word in fold(text).split():
            begins = models.Q(username_key__prefix=word) | models.Q(email_key__prefix=word)
            # Searching names for a number would make the database read every row.
            found &= begins if prefix else begins | models.Q(name_words__word_prefix=word)
        if prefix:
            found |= models.Q(phone_number__prefix=prefix)
            found |= models.Q(phone_number__in=possible_numbers(text))
            if is_id(text.strip()):
                found |= models.Q(pk=int(text))
        return self.filter(found)


class UserManager(DjangoUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, username: str | None) -> "User":
        # A login ignores case.
        user: User = self.named(username or "").get()
        return user

    def create_user(
        self,
        username: str,
        email: str | None = None,
        password: str | None = None,
        **fields: object,
    ) -> "User":
        user: User = super().create_user(username, email, password, **fields)
        return user


class SessionQuerySet(models.QuerySet["Session"]):
    def live(self, now: datetime | Param | None = None) -> "SessionQuerySet":
        return self.filter(is_active=True, expires_at__gt=now or timezone.now())

    def dead_for(self, age: timedelta) -> "SessionQuerySet":
        before = timezone.now() - age
        ended = models.Q(is_active=False, last_used_at__lt=before)
        return self.filter(ended | models.Q(expires_at__lt=before))


class PersonalTokenQuerySet(models.QuerySet["PersonalToken"]):
    def live(self, now: datetime | Param | None = None) -> "PersonalTokenQuerySet":
        is_current = models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=now or timezone.now())
        return self.filter(is_current, revoked_at__isnull=True)

    def dead_for(self, age: timedelta) -> "PersonalTokenQuerySet":
        before = timezone.now() - age
        return self.filter(models.Q(revoked_at__lt=before) | models.Q(expires_at__lt=before))


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def live(self) -> "InvitationQuerySet":
        is_left = models.Q(uses__lt=models.F("max_uses"))
        return self.filter(is_left, withdrawn_at__isnull=True, expires_at__gt=timezone.now())

    def dead_for(self, age: timedelta) -> "InvitationQuerySet":
        before = timezone.now() - age
        return self.filter(models.Q(withdrawn_at__lt=before) | models.Q(expires_at__lt=before))
