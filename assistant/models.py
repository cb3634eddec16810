"""The assistant: its profile, the replies that it owes, the steps of its tools, and the tokens it used."""

from typing import TypedDict

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Role
from aimessage.models import TimeStamped
from assistant.querysets import ProfileQuerySet, ReplyQuerySet, ThreadQuerySet
from messaging.models import CONVERSATION_ID_MAX_LENGTH, Message
from reports.models import Report

PROMPT = (
    "You are the assistant of this messaging service. Answer the user briefly and plainly, in the language"
    " in which they write. Say so when you do not know something. You are a program, and never claim to be"
    " a person."
)
DISCLOSURE = "I am an AI assistant, a program and no person. What I write may be wrong."


class Profile(TimeStamped):
    """The assistant's account, and its settings in the admin. The provider's are in the environment."""

    name = models.CharField(max_length=50, unique=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="assistant_profile"
    )
    prompt = models.TextField(max_length=20_000, help_text="What every call begins with.")
    disclosure = models.TextField(max_length=1000, help_text="What the first answer to somebody starts with.")
    #: Names of the tools that are switched off. The list names those so that new tools start switched on.
    tools_off = models.JSONField(default=list, blank=True)
    #: By tool, the ids of the roles that may use it. A tool that is not a key is for everybody.
    tool_roles = models.JSONField(default=dict, blank=True)
    roles = models.ManyToManyField(
        Role, blank=True, related_name="+", help_text="Who may write to it; without any, everybody."
    )
    is_active = models.BooleanField(default=True, help_text="Whether it can be written to, and answers.")

    # The state of the provider; see assistant/services/breaker.py.
    failures_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    paused_until = models.DateTimeField(null=True, editable=False)
    #: Why the provider refuses us, such as "401", until it answers again.
    trouble = models.CharField(max_length=32, default="", editable=False)
    trouble_at = models.DateTimeField(null=True, editable=False)

    objects = ProfileQuerySet.as_manager()

    class Meta:
        verbose_name = "assistant"
        verbose_name_plural = "assistant"

    def __str__(self) -> str:
        return self.name


class Thread(models.Model):
    """The settings and state between one user and the assistant, over all of their conversations."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="threads")
    #: The assistant does not see messages up to this id.
    context_after = models.BigIntegerField(default=0)
    #: Whether it may search the user's messages, and so show other people's words to the provider.
    share_messages = models.BooleanField(default=False)
    #: When a person took over, and the report that asks for one.
    paused_at = models.DateTimeField(null=True)
    paused_report = models.ForeignKey(Report, on_delete=models.SET_NULL, null=True, related_name="+")
    #: Where that person answers.
    paused_conversation_id = models.CharField(max_length=CONVERSATION_ID_MAX_LENGTH, default="")
    #: The day on which the user was last told that the allowance is used up.
    told_used_up_on = models.DateField(null=True)

    objects = ThreadQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "profile"], name="thread_once_per_user"),
        ]

    def __str__(self) -> str:
        return f"user {self.user_id} and {self.profile_id}"

    @property
    def is_paused(self) -> bool:
        # Once the report is deleted nobody could end the pause, so it counts as ended.
        return self.paused_at is not None and self.paused_report_id is not None


class Reply(models.Model):
    """The answer that a question is owed, created in the transaction of the question.

    `attempt` is a fencing token: a worker whose attempt is not the current one can write nothing.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"
        #: Nobody needs the answer any more, or the allowance was used up.
        SKIPPED = "skipped"

    OPEN = (State.QUEUED, State.RUNNING)

    # No constraint in the database, and DO_NOTHING: deleting a message costs no query here.
    question = models.OneToOneField(
        Message, on_delete=models.DO_NOTHING, db_constraint=False, related_name="reply_owed"
    )
    answer = models.OneToOneField(
        Message, on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="reply_made"
    )
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="replies", db_index=False)
    conversation_id = models.CharField(max_length=CONVERSATION_ID_MAX_LENGTH)
    #: Whether other people's words were in its context, so that the answer may quote them.
    tainted = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    #: How often its asker had it retried; part of the idempotency key of the answer.
    round = models.PositiveIntegerField(default=0)
    #: The text so far, while it is written; empty once the answer is a message.
    text = models.TextField(default="")
    #: Why it failed or was skipped, as a word.
    reason = models.CharField(max_length=32, null=True)
    model = models.CharField(max_length=200, default="")
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    cost = models.DecimalField(max_digits=14, decimal_places=6, default=0)
    #: Tokens that the current call has reserved, and the day that they count for.
    reserved = models.PositiveIntegerField(default=0)
    reserved_on = models.DateField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    attempt = models.PositiveIntegerField(default=0)
    #: When the worker's lease ends unless it is renewed, and the job that holds it.
    lease_until = models.DateTimeField(null=True)
    holder = models.CharField(max_length=64, default="")
    due_at = models.DateTimeField(default=timezone.now)
    #: Calls that failed.
    failures = models.PositiveIntegerField(default=0)

    objects = ReplyQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "replies"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "done", "failed", "cancelled", "skipped"]),
                name="reply_state_known",
            ),
        ]
        indexes = [
            # GET /assistant/replies
            models.Index(fields=["asker", "id"], name="reply_asker"),
            # the number of a user's unfinished replies
            models.Index(
                fields=["asker"], name="reply_waiting", condition=Q(state__in=["queued", "running"])
            ),
            # replies that are due, and the first of each conversation
            models.Index(
                fields=["conversation_id", "id"],
                name="reply_open",
                condition=Q(state__in=["queued", "running"]),
            ),
            # the throttle: when a user's latest replies were started
            models.Index(fields=["asker", "started_at"], name="reply_started"),
            # the sweep
            models.Index(fields=["finished_at"], name="reply_finished"),
        ]

    def __str__(self) -> str:
        return f"reply {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN


class StoredCall(TypedDict):
    id: str
    name: str
    #: JSON as the model wrote it.
    arguments: str


class Step(models.Model):
    """The tool calls of one answer of the model, with their results.

    It is written in the transaction of the changes that the tools make. A new attempt reuses existing steps.
    """

    reply = models.ForeignKey(Reply, on_delete=models.CASCADE, related_name="steps", db_index=False)
    number = models.PositiveIntegerField()
    #: {"text", "calls"}: what the model wrote besides the calls, and a list of StoredCall.
    call = models.JSONField(encoder=DjangoJSONEncoder)
    #: [{"id", "result"}], one for each call.
    result = models.JSONField(encoder=DjangoJSONEncoder)
    #: Whether the results contain other people's words.
    taints = models.BooleanField(default=False)
    #: How many of its calls changed something.
    changes = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["reply", "number"], name="step_once")]
        indexes = [
            # the sweep
            models.Index(fields=["at"], name="step_at")
        ]

    def __str__(self) -> str:
        return f"step {self.number} of reply {self.reply_id}"

    def calls_with_results(self) -> list[tuple[StoredCall, object]]:
        pairs = zip(self.call["calls"], self.result, strict=True)
        return [(call, given["result"]) for call, given in pairs]


class Effect(models.Model):
    """A report that a tool filed or changed for the asker of a reply."""

    reply = models.ForeignKey(Reply, on_delete=models.CASCADE, related_name="effects")
    tool = models.CharField(max_length=64)
    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.tool} of reply {self.reply_id}"


class Usage(models.Model):
    """The tokens of one user, or of all users together, in a day of UTC. Reserved tokens count as used."""

    #: Null for all users together.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, db_index=False)
    day = models.DateField()
    requests = models.PositiveIntegerField(default=0)
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    cost = models.DecimalField(max_digits=16, decimal_places=6, default=0)
    reserved = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-day"]
        verbose_name_plural = "usage"
        constraints = [
            models.UniqueConstraint(fields=["user", "day"], name="usage_once_per_user"),
            models.UniqueConstraint(fields=["day"], name="usage_once_for_all", condition=Q(user=None)),
        ]

    def __str__(self) -> str:
        return f"{self.day}: user {self.user_id}"

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out
