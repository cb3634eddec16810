"""Complaints, and what moderators did about them."""

import hashlib
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from aimessage.api.idempotency import IdempotentModel
from aimessage.models import TimeStamped
from messaging.models import CONTENT_MAX_LENGTH, Message
from reports.querysets import QUEUE, ReportQuerySet

TITLE_MAX_LENGTH = 255


class Report(TimeStamped, IdempotentModel):
    class Status(models.TextChoices):
        OPEN = "open", "Open"
        IN_PROGRESS = "in_progress", "In progress"
        RESOLVED = "resolved", "Resolved"

    # A report outlives its reporter's account, its message, and the account of that message's sender.
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="reports",
        db_index=False,
    )
    title = models.CharField(max_length=TITLE_MAX_LENGTH)
    content = models.TextField(max_length=CONTENT_MAX_LENGTH)
    status = models.CharField(max_length=50, choices=Status.choices, default=Status.OPEN)
    #: Who works on it; only the admin shows it.
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="assigned_reports",
        editable=False,
    )
    comment = models.TextField(
        null=True,
        blank=True,
        help_text="The reporter can read this.",
        max_length=CONTENT_MAX_LENGTH,
    )
    resolved_at = models.DateTimeField(null=True, blank=True, editable=False)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="resolved_reports",
        editable=False,
    )
    message = models.ForeignKey(
        Message, on_delete=models.SET_NULL, null=True, blank=True, related_name="reports"
    )
    #: What the message said, and who had sent it, when it was reported.
    message_content = models.TextField("reported message", null=True, editable=False)
    message_sender = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="reports_about",
        editable=False,
    )

    objects = ReportQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["reporter", "idempotency_key"], name="report_once_per_idempotency_key"
            ),
            models.CheckConstraint(
                condition=Q(status="resolved", resolved_at__isnull=False)
                | (~Q(status="resolved") & Q(resolved_at__isnull=True)),
                name="report_resolved_at_when_resolved",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["open", "in_progress", "resolved"]),
                name="report_status_known",
            ),
        ]
        indexes = [
            # GET /reports
            models.Index(fields=["reporter", "id"], name="report_reporter"),
            # the admin's queue: its first page
            models.Index(QUEUE, "id", name="report_queue"),
            # what is not resolved, and the oldest open
            models.Index(fields=["status", "id"], name="report_status"),
            # the admin's years, months and days, from the first to the last
            models.Index(fields=["created_at"], name="report_created_at"),
            # the admin's home page: what was resolved this week
            models.Index(
                fields=["resolved_at"], name="report_resolved_at", condition=Q(resolved_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"Report {self.pk}: {self.title}"

    @property
    def reporter_username(self) -> str | None:
        return self.reporter.username if self.reporter else None

    @property
    def resolver_username(self) -> str | None:
        return self.resolved_by.username if self.resolved_by else None

    @property
    def assignee_username(self) -> str | None:
        return self.assigned_to.username if self.assigned_to else None

    @property
    def accused(self) -> str | None:
        if self.message_content is None:
            return None
        return self.message_sender.username if self.message_sender else "Deleted user"

    @property
    def version(self) -> str:
        """Digests of the text and of the decision, with a dot between; shows if a page is out of date."""
        decided = [self.status, self.resolved_at, self.assigned_to_id, self.comment]
        return f"{_digest(self.title, self.content)}.{_digest(*decided)}"

    def involves(self, user: "User") -> bool:
        return user.pk in (self.reporter_id, self.message_sender_id)

    @property
    def age(self) -> timedelta:
        age: timedelta = timezone.now() - self.created_at
        return age

    @property
    def message_outcome(self) -> str:
        if self.message_content is None:
            return ""
        if self.message is None:
            return "Deleted since"
        return "Edited since" if self.message.content != self.message_content else ""


class ContextMessage(models.Model):
    """The reported message, or one around it, as it was when the report was filed."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="context", db_index=False)
    #: Not a foreign key: the id must stay when the message is deleted, to show that it was.
    message_id = models.BigIntegerField()
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    content = models.TextField()
    deleted_by_recipient = models.BooleanField()
    is_reported = models.BooleanField()
    sent_at = models.DateTimeField()

    class Meta:
        ordering = ["message_id"]
        constraints = [
            # also: the page of a report, in order
            models.UniqueConstraint(fields=["report", "message_id"], name="context_message_once_per_report")
        ]

    def __str__(self) -> str:
        return f"message {self.message_id} around report {self.report_id}"


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()[:16]
