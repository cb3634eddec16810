"""The assistant's part of a user's page, and of the summary of a deletion."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest

from accounts.admin.extensions import DeletionSummary, Panel, deletion_summaries, lines, panels
from accounts.models import User
from aimessage.backoffice.lists import is_superuser
from assistant.models import Reply, Thread, Usage
from assistant.services import allowance

DAYS = timedelta(days=30)


def _panel(request: HttpRequest, user: User) -> dict[str, object] | None:
    if not is_superuser(request) or user.kind == User.Kind.BOT:
        return None
    recent = Usage.objects.filter(user=user, day__gt=allowance.today() - DAYS)
    totals = recent.aggregate(
        requests=Sum("requests", default=0),
        tokens_in=Sum("tokens_in", default=0),
        tokens_out=Sum("tokens_out", default=0),
        cost=Sum("cost", default=0),
    )
    thread = Thread.objects.filter(user=user).first()
    if not settings.ASSISTANT.on and thread is None and not totals["requests"]:
        return None
    return {
        "totals": totals,
        "used_today": allowance.used_by(user),
        "limit": settings.ASSISTANT.tokens_per_day,
        "waiting": Reply.objects.asked_by(user).unfinished().count(),
        "thread": thread,
    }


def _deletion_summary(users: list[int]) -> DeletionSummary:
    replies = Reply.objects.filter(asker__in=users)
    return DeletionSummary(
        goes=lines(
            replies, "answer", "answers", " of the assistant, with what its tools did and what it cost"
        )
    )


panels.append(Panel("Assistant", "admin/assistant/user.html", _panel))
deletion_summaries.append(_deletion_summary)
