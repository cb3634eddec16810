"""Workers that are killed while they answer, over a database of their own."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_django import Settings

from accounts.models import User
from aimessage.jobs.tests.processes import Shop
from assistant.account import get_profile
from assistant.models import Reply
from assistant.tests.stub import Behaviour, Says, Stub
from assistant.tools import Call, Tool, add_tool
from messaging.models import Message
from messaging.services.messages import send_message
from reports.models import Report
from reports.services import file_report

#: Seconds between two kills, while a call is under way.
EVERY = 0.3
TOOL = "from assistant.tests.killing import add_note_tool; add_note_tool()"
WORKER = f"{TOOL}\nwork({{'default': 1, 'assistant': 2}})"


def note(call: Call, arguments: Any) -> dict[str, int]:
    report, _ = file_report(call.asker, title=arguments["title"], content="Noted.")
    return {"id": report.pk}


def add_note_tool() -> None:
    title = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    add_tool(Tool("note", "Files a note.", title, note, changes=True))


def obey(request: dict[str, Any]) -> Behaviour:
    """First a note about the question, then its answer."""
    turns = request["messages"]
    question = [turn["content"] for turn in turns if turn["role"] == "user"][-1]
    if turns[-1]["role"] == "tool":
        return Says(f"About {question}", delay=0.1)
    return Says("", calls=(("note", {"title": question}),), delay=0.1)


def kill_while_answering(
    shop: Shop,
    settings: Settings,
    *,
    questions: int,
    kills: int,
    progress: Callable[[str], None] = lambda text: None,
) -> int:
    """Asks so many questions, kills so often whoever answers; returns how many calls that took."""
    with Stub(obey) as stub:
        environment = _prepare(stub, settings)
        asked = _ask(questions)
        workers = [shop.start(script=WORKER, **environment) for _ in range(2)]
        killed, deadline = 0, time.monotonic() + 60 + 8 * questions
        while Reply.objects.unfinished().exists():
            assert time.monotonic() < deadline, f"{Reply.objects.unfinished().count()} unanswered"
            progress(f"{killed} kills, {Reply.objects.unfinished().count()} to answer")
            if stub.active and killed < kills:
                time.sleep(random.uniform(0, EVERY))
                victim = workers.pop(0)
                victim.send_signal(signal.SIGKILL)
                victim.wait()
                killed += 1
                workers.append(shop.start(script=WORKER, **environment))
            time.sleep(0.05)
        assert killed == kills
        _check(asked)
        return len(stub.requests)


def answer_one_conversation(shop: Shop, settings: Settings, *, questions: int) -> int:
    """Has two workers answer one user; returns how many calls were under way at a time."""
    with Stub(obey) as stub:
        environment = _prepare(stub, settings)
        asked = _ask(questions, askers=1)
        for _ in range(2):
            shop.start(script=WORKER, **environment)
        deadline = time.monotonic() + 60
        while Reply.objects.unfinished().exists():
            assert time.monotonic() < deadline, f"{Reply.objects.unfinished().count()} unanswered"
            time.sleep(0.05)
        _check(asked)
        return stub.most_active


def _prepare(stub: Stub, settings: Settings) -> dict[str, str]:
    """An empty database, and what workers need to know of the provider."""
    for model in (Reply, Message, Report, User):
        model.objects.all().delete()
    settings.ASSISTANT = replace(settings.ASSISTANT, on=True, model="m", url=stub.url)
    settings.THROTTLE_RATES = dict.fromkeys(settings.THROTTLE_RATES)
    return {
        "AI_MESSAGE_ASSISTANT_MODEL": "m",
        "AI_MESSAGE_ASSISTANT_URL": stub.url,
        "AI_MESSAGE_THROTTLE_ASSISTANT": "off",
        "AI_MESSAGE_THROTTLE_REPORT": "off",
        "AI_MESSAGE_ASSISTANT_TOKENS_PER_DAY": "0",
        "AI_MESSAGE_ASSISTANT_TOKENS_PER_DAY_TOTAL": "0",
    }


def _ask(questions: int, *, askers: int = 6) -> list[Message]:
    bot = get_profile().user
    names = [f"asker{number}" for number in range(askers)]
    users = [User.objects.create_user(name, f"{name}@example.org") for name in names]
    return [
        send_message(users[number % askers], recipient_id=bot.pk, content=f"Question {number}")[0]
        for number in range(questions)
    ]


def _check(asked: list[Message]) -> None:
    """One answer and one effect for each question, in the order of the questions."""
    bot = get_profile().user
    answers = list(Message.objects.filter(sender=bot).order_by("pk"))
    assert len(answers) == len(asked)
    for question in asked:
        (answer,) = [one for one in answers if one.parent_id == question.pk]
        assert answer.content.endswith(f"About {question.content}")
        assert Report.objects.filter(title=question.content, reporter=question.sender).count() == 1
    assert Report.objects.count() == len(asked)
    for conversation in {question.conversation_id for question in asked}:
        parents = [one.parent_id for one in answers if one.conversation_id == conversation]
        assert parents == sorted(parents)
    assert set(Reply.objects.values_list("state", flat=True)) == {"done"}
