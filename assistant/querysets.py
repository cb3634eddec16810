from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Coalesce

from accounts.models import User

if TYPE_CHECKING:
    from assistant.models import Profile, Reply, Thread  # noqa: F401  in QuerySet[…]


#: What the asker of a reply sees: what is written so far, or the answer, unless they have deleted it.
SHOWN_TEXT = Coalesce(
    Case(When(answer__deleted_by_recipient=False, then=F("answer__content")), default=F("text")),
    Value(""),
    output_field=models.TextField(),
)


class ProfileQuerySet(models.QuerySet["Profile"]):
    def open_to(self, user: User) -> "ProfileQuerySet":
        return self.exclude(pk__in=self.closed_to(user).values("pk"))

    def closed_to(self, user: User) -> "ProfileQuerySet":
        if not settings.ASSISTANT.on:
            return self.all()
        roles = self.model.roles.through.objects.filter(profile=OuterRef("pk"))
        mine = roles.filter(role__user=user)
        closed = Q(is_active=False) | Q(user__is_active=False)
        return self.filter(closed | (Exists(roles) & ~Exists(mine)))


class ThreadQuerySet(models.QuerySet["Thread"]):
    def paused(self) -> "ThreadQuerySet":
        return self.filter(paused_at__isnull=False, paused_report__isnull=False)


class ReplyQuerySet(models.QuerySet["Reply"]):
    def asked_by(self, user: User) -> "ReplyQuerySet":
        return self.filter(asker=user)  # index reply_asker

    def unfinished(self) -> "ReplyQuerySet":
        return self.filter(state__in=["queued", "running"])  # index reply_open

    def first_in_line(self) -> "ReplyQuerySet":
        # Questions of a conversation are answered one after the other.
        earlier = self.model.objects.unfinished().filter(
            conversation_id=OuterRef("conversation_id"), pk__lt=OuterRef("pk")
        )
        return self.unfinished().filter(~Exists(earlier))

    def with_text(self) -> "ReplyQuerySet":
        return self.annotate(shown_text=SHOWN_TEXT)

    def texts(self) -> dict[int, str]:
        return dict(self.annotate(shown_text=SHOWN_TEXT).values_list("pk", "shown_text"))

    def free(self, now: datetime, *, holder: str) -> "ReplyQuerySet":
        """Replies that are due, first in line, and have no lease, or the lease of `holder` itself."""
        unheld = Q(lease_until=None) | Q(lease_until__lt=now) | Q(holder=holder)
        # A retried reply may come before one that is being answered: still one at a time.
        running = self.model.objects.unfinished().filter(
            conversation_id=OuterRef("conversation_id"), lease_until__gte=now
        )
        others = running.exclude(pk=OuterRef("pk"))
        return self.first_in_line().filter(unheld, ~Exists(others), due_at__lte=now)
