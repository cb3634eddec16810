"""Running the tools that a model asks for, and refusing those that are out of its reach."""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, transaction
from rest_framework.exceptions import ValidationError

from aimessage.api.problems import DomainError
from assistant.models import Reply, Step
from assistant.tools import TOOLS, Call, Tool, ToolError
from assistant.turns import Completion, ToolCall

#: Calls of one step that are run, and changes that one reply may make.
CALLS_RUN, CHANGES = 8, 3
#: Characters of one result, as JSON.
LONGEST = 4000

logger = logging.getLogger("aimessage.assistant")


def offered_tools(reply: Reply, steps: Sequence[Step]) -> list[Tool]:
    """What the model may call next, in a reply that has taken `steps`."""
    return [tool for tool in TOOLS.values() if _is_offered(tool, reply, steps)]


def _is_offered(tool: Tool, reply: Reply, steps: Sequence[Step]) -> bool:
    if tool.name in reply.profile.tools_off or not tool.offered(reply.asker):
        return False
    return tool.always or not (tool.changes and any(step.taints for step in steps))


def take_step(
    reply: Reply, completion: Completion, steps: Sequence[Step], *, is_mine: Callable[[], bool]
) -> Step | None:
    """Runs what `completion` calls, and stores the step together with whatever the tools changed.

    `is_mine` is called in that transaction. It locks the reply, and says whether this attempt still has it;
    if not, nothing is done, and None returned.
    """
    step = Step(reply=reply, number=len(steps), result=[])
    step.call = {"text": completion.text, "calls": [vars(call) for call in completion.calls]}
    with transaction.atomic():
        if not is_mine():
            return None
        for number, call in enumerate(completion.calls):
            result = _run(step, call, steps) if number < CALLS_RUN else {"error": "Too many calls at once"}
            step.result.append({"id": call.id, "result": result})
        step.save(force_insert=True)
    return step


def _run(step: Step, call: ToolCall, steps: Sequence[Step]) -> Any:
    tool = TOOLS.get(call.name)
    if tool is None or not _is_offered(tool, step.reply, [*steps, step]):
        return {"error": "There is no such tool"}
    if tool.changes and sum(done.changes for done in [*steps, step]) >= CHANGES:
        return {"error": "Nothing more can be changed in one answer"}
    try:
        arguments = json.loads(call.arguments)
        if not isinstance(arguments, dict):
            raise ToolError("The arguments are no JSON object")
        with transaction.atomic():
            result = tool.function(Call(step.reply.asker, step.reply), arguments)
    except (DomainError, ToolError, ValidationError, ValueError) as error:
        return {"error": str(error)}
    except (IntegrityError, TypeError, KeyError, OverflowError):
        logger.exception("tool failed: reply=%s name=%s", step.reply.pk, tool.name)
        return {"error": "The tool failed"}
    step.taints |= tool.shows_others_words
    step.changes += tool.changes
    logger.info("tool: reply=%s name=%s", step.reply.pk, tool.name)
    return json.loads(json.dumps(result, cls=DjangoJSONEncoder))


def results_of(step: Step) -> list[tuple[str, str]]:
    """Each call's id, and its result as a model reads it."""
    return [(one["id"], json.dumps(one["result"], ensure_ascii=False)[:LONGEST]) for one in step.result]
