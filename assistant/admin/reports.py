"""The assistant's panels on a report's page: a user who waits for a person, and how it filed or answered."""

import json
from datetime import datetime, timedelta
from typing import NamedTuple

from django import forms
from django.http import HttpRequest

from aimessage.audit.acting import record
from aimessage.backoffice.buttons import Button, Press, TextForm
from aimessage.backoffice.lists import actor_of, is_superuser
from assistant.models import Effect, Reply, Step, Thread
from assistant.services.handoff import answer_as_person, paused_thread_of
from messaging.models import CONTENT_MAX_LENGTH, Message
from reports.admin.buttons import BUTTONS
from reports.admin.extensions import ReportPanel, panels
from reports.models import Report

#: How much of the conversation moderators can read when its user asks for a person: the time before that, and
#: the number of messages.
BEFORE, MESSAGES_SHOWN = timedelta(days=1), 100
#: Steps and effects that a panel shows.
STEPS_SHOWN = 20
LOOKED = "Looked at the conversation with the assistant."


class AnswerForm(TextForm):
    answer = forms.CharField(
        max_length=CONTENT_MAX_LENGTH, strip=False, widget=forms.Textarea(attrs={"rows": 4, "cols": 80})
    )

    @property
    def text(self) -> str | None:
        text: str = self.cleaned_data["answer"]
        # Browsers send CRLF.
        return text.replace("\r\n", "\n")


def _answer(report: Report, press: Press) -> str:
    answer_as_person(report, actor=press.actor, text=press.text or "")
    return "Sent, from the assistant's account under your name."


BUTTONS["answer"] = Button("report.answered", _answer, form=AnswerForm)


class Line(NamedTuple):
    who: str
    at: datetime
    content: str
    is_asker: bool


def _handed_over(request: HttpRequest, report: Report) -> dict[str, object] | None:
    # The conversation, while its user waits for a person. Each look at it is recorded in the audit trail.
    thread = paused_thread_of(report)
    if thread is None:
        return None
    if report.involves(actor_of(request)):
        return {"talk": [], "form": None, "thread": thread}
    seen = {"conversation": thread.paused_conversation_id, "message": None}
    record(request, "conversation.read", LOOKED, target=report, after=seen)
    return {"talk": _talk(thread), "form": AnswerForm(), "thread": thread}


def _talk(thread: Thread) -> list[Line]:
    assert thread.paused_at is not None  # noqa: S101  paused_thread_of has only those
    since = thread.paused_at - BEFORE
    said = Message.objects.visible_to(thread.user).filter(
        conversation=thread.paused_conversation_id, created_at__gte=since
    )
    newest = said.order_by("-pk").values_list("sender_id", "created_at", "content")[:MESSAGES_SHOWN]
    names, bot = {thread.user_id: thread.user.username}, thread.profile.user
    return [
        Line(names.get(sender, bot.full_name or bot.username), at, content, sender == thread.user_id)
        for sender, at, content in reversed(newest)
    ]


def _filed(request: HttpRequest, report: Report) -> dict[str, object] | None:
    effects = list(Effect.objects.filter(report=report).select_related("reply")[:STEPS_SHOWN])
    return {"effects": effects, "may_look": is_superuser(request)} if effects else None


def _how(request: HttpRequest, report: Report) -> dict[str, object] | None:
    # Only for superusers: the steps show the arguments and results of the tools.
    if not is_superuser(request) or report.message_id is None:
        return None
    reply = Reply.objects.filter(answer=report.message_id).first()
    if reply is None:
        return None
    return {
        "reply": reply,
        "calls": [call for step in reply.steps.all()[:STEPS_SHOWN] for call in _calls(step)],
    }


def _calls(step: Step) -> list[dict[str, str]]:
    return [
        {"name": call["name"], "arguments": call["arguments"], "result": json.dumps(result, indent=1)}
        for call, result in step.calls_with_results()
    ]


panels += [
    ReportPanel("Waits for a person", "admin/assistant/report/handed_over.html", _handed_over),
    ReportPanel("The assistant's part in it", "admin/assistant/report/filed.html", _filed),
    ReportPanel("How the assistant came to its answer", "admin/assistant/report/how.html", _how),
]
