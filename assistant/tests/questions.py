"""Questions to the assistant, as the tests of tools, allowance and context are played with."""

import json
from typing import Any

from accounts.models import User
from assistant.account import get_profile
from assistant.models import Reply, Step
from assistant.tools.running import take_step
from assistant.turns import Completion, ToolCall
from messaging.models import Message
from tests.factories import MessageFactory


def ask(asker: User, content: str = "Hello?", **fields: Any) -> Reply:
    """A question, and the reply that it is owed, which nobody works on."""
    profile = get_profile()
    question: Message = MessageFactory(sender=asker, recipient=profile.user, content=content)
    Reply.objects.filter(question=question).delete()
    made: Reply = Reply.objects.create(
        question=question,
        asker=asker,
        profile=profile,
        conversation_id=question.conversation_id,
        **fields,
    )
    return made


def calls(*named: tuple[str, Any]) -> Completion:
    """What a model says that calls tools; arguments that are a text are sent as they are."""
    return Completion(
        calls=[
            ToolCall(f"call-{number}", name, given if isinstance(given, str) else json.dumps(given))
            for number, (name, given) in enumerate(named)
        ],
        finish="tool_calls",
    )


def step(reply: Reply, *named: tuple[str, Any]) -> Step:
    """The step that a reply takes next."""
    taken = take_step(reply, calls(*named), list(reply.steps.all()), is_mine=lambda: True)
    assert taken is not None
    return taken


def use(reply: Reply, name: str, **arguments: Any) -> Any:
    """What a tool returns."""
    return step(reply, (name, arguments)).result[0]["result"]
