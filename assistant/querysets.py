from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Coalesce

from accounts.models import User


class ProfileQuerySet(models.QuerySet[Any]):
    def open_to(self, user: User) -> "ProfileQuerySet":
        """Those that `user` may write to."""
        return self.exclude(pk__in=self.closed_to(user).values("pk"))

    def closed_to(self, user: User) -> "ProfileQuerySet":
        """Those that are switched off, or for roles that `user` does not have."""
        if not settings.ASSISTANT.on:
            return self.all()
        roles = self.model.roles.through.objects.filter(profile=OuterRef("pk"))
        mine = roles.filter(role__user=user)
        closed = Q(is_active=False) | Q(user__is_active=False)
        return self.filter(closed | (Exists(roles) & ~Exists(mine)))


class ThreadQuerySet(models.QuerySet[Any]):
    def paused(self) -> "ThreadQuerySet":
        """Those in which a person has taken over."""
        return self.filter(paused_at__isnull=False, paused_report__isnull=False)


class ReplyQuerySet(models.QuerySet[Any]):
    def asked_by(self, user: User) -> "ReplyQuerySet":
        """Served by reply_asker."""
        return self.filter(asker=user)

    def unfinished(self) -> "ReplyQuerySet":
        """Served by reply_open."""
        return self.filter(state__in=["queued", "running"])

    def first_in_line(self) -> "ReplyQuerySet":
        """The oldest of each conversation that is not finished: one question after the other."""
        earlier = self.model.objects.unfinished().filter(
            conversation_id=OuterRef("conversation_id"), pk__lt=OuterRef("pk")
        )
        return self.unfinished().filter(~Exists(earlier))

    def with_text(self) -> "ReplyQuerySet":
        """With what is shown as `text`: what was written so far, or the answer, if its asker can see it."""
        visible = Q(answer__deleted_by_recipient=False)
        shown = Case(When(visible, then=F("answer__content")), default=F("text"))
        return self.annotate(shown_text=Coalesce(shown, Value(""), output_field=models.TextField()))

    def free(self, now: datetime, *, holder: str) -> "ReplyQuerySet":
        """Those that are due and that nobody has, or `holder` had before its worker died."""
        unheld = Q(lease_until=None) | Q(lease_until__lt=now) | Q(holder=holder)
        # One that was tried again may have come before one that is being answered.
        running = self.model.objects.unfinished().filter(
            conversation_id=OuterRef("conversation_id"), lease_until__gte=now
        )
        others = running.exclude(pk=OuterRef("pk"))
        return self.first_in_line().filter(unheld, ~Exists(others), due_at__lte=now)
