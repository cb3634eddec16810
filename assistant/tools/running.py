"""Runs the tools that a model calls, and refuses those that it may not call."""

import json
import logging
from collections.abc import Callable, Collection, Sequence

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import InterfaceError, OperationalError, connection, transaction
from rest_framework.exceptions import ValidationError

from aimessage.api.problems import DomainError, flatten_errors, headline
from aimessage.db.bounds import took_too_long
from assistant.models import Reply, Step
from assistant.tools import TOOLS, Call, Result, Tool, ToolError
from assistant.tools.arguments import COMPLAINT, LONGEST, read_arguments
from assistant.tools.results import fit
from assistant.turns import Completion, ToolCall

#: Calls of one step that are run, and that are stored. Those between are stored with a refusal.
CALLS_RUN, CALLS_KEPT = 8, 16
#: Changes that one reply may make.
CHANGES = 3

UNKNOWN = "There is no such tool"
OUT_OF_REACH = (
    "This tool is out of reach, since what others wrote is in this conversation. The user can clear the chat"
    " history, or do it themselves."
)
TOO_MANY_CHANGES = f"No more than {CHANGES} changes are made for one question"
TOO_MANY_CALLS = f"No more than {CALLS_RUN} tools can be called at once"
HANDED_OVER = "A person has taken over"
FAILED = "The tool failed"
NOT_KEPT = {"error": "What others wrote is not kept"}
TOO_SLOW = "That took too long"

logger = logging.getLogger("aimessage.assistant")


def offered_tools(reply: Reply, steps: Sequence[Step]) -> list[Tool]:
    call = Call(reply.asker, reply, reply.tainted)
    closed, changes = _closed_tools(reply), sum(step.changes for step in steps)
    return [tool for tool in TOOLS.values() if _refusal(tool, call, closed, changes) is None]


def _closed_tools(reply: Reply) -> set[str]:
    profile = reply.profile
    roles = set(reply.asker.groups.values_list("pk", flat=True)) if profile.tool_roles else set()
    return {*profile.tools_off, *(name for name, ids in profile.tool_roles.items() if not roles & set(ids))}


def _refusal(tool: Tool | None, call: Call, closed: Collection[str], changes: int) -> str | None:
    if tool is None or tool.name in closed or not tool.offered(call):
        return UNKNOWN
    if tool.changes and call.tainted and not tool.always:
        return OUT_OF_REACH
    if tool.changes and changes >= CHANGES and not tool.always:
        return TOO_MANY_CHANGES
    return None


def take_step(
    reply: Reply, completion: Completion, steps: Sequence[Step], *, is_mine: Callable[[], bool]
) -> Step | None:
    """Runs the calls of `completion`, and stores the step in the transaction of the changes that they make.

    `is_mine` is called in that transaction. It locks the reply, and returns whether this attempt still has
    it. If not, nothing is changed, and take_step returns None.
    """
    calls = [_storable(call) for call in completion.calls[:CALLS_KEPT]]
    changing = any(call.name in TOOLS and TOOLS[call.name].changes for call in calls)
    step = Step(reply=reply, number=len(steps))
    step.call = {"text": _clean(completion.text), "calls": [vars(call) for call in calls]}
    if not changing:
        # Not in the transaction: on SQLite it would lock out other writers during a search.
        _run_calls(step, calls, steps)
    with transaction.atomic():
        if not is_mine():
            return None
        if changing:
            _run_calls(step, calls, steps)
        if step.taints:
            Reply.objects.filter(pk=reply.pk).update(tainted=True)
        step.save(force_insert=True)
    return step


def _run_calls(step: Step, calls: Sequence[ToolCall], steps: Sequence[Step]) -> None:
    reply, closed = step.reply, _closed_tools(step.reply)
    step.result, before = [], sum(each.changes for each in steps)
    for number, called in enumerate(calls):
        tool = TOOLS.get(called.name)
        call = Call(reply.asker, reply, reply.tainted)
        refusal = _refusal(tool, call, closed, before + step.changes)
        if number >= CALLS_RUN:
            refusal = TOO_MANY_CALLS
        if not reply.is_open:  # an earlier call has handed the asker over
            refusal = HANDED_OVER
        result: Result = {"error": refusal}
        done = False
        if tool is not None and refusal is None:
            result, done = _run(tool, call, called.arguments)
        if tool is not None:
            logger.info("tool: reply=%s name=%s done=%s", reply.pk, tool.name, done)
            step.changes += done and tool.changes
            if done and tool.shows_others_words(result):
                # Later calls may then change nothing.
                step.taints = reply.tainted = True
        step.result.append({"id": called.id, "result": fit(result)})


def _run(tool: Tool, call: Call, arguments: str) -> tuple[Result, bool]:
    # Returns the tool's result and True, or an error for the model and False.
    try:
        given = read_arguments(tool, arguments)
        if connection.vendor == "sqlite" and not tool.changes:
            return tool.function(call, given), True
        with transaction.atomic():
            return tool.function(call, given), True
    except (ToolError, DomainError) as error:
        sentence = str(error)
    except ValidationError as error:
        sentence = headline(flatten_errors(error.detail))
    except DjangoValidationError as error:
        sentence = " ".join(error.messages)
    except (OperationalError, InterfaceError) as error:
        # If the database is gone, the whole attempt fails and is tried again.
        if not took_too_long(error):
            raise
        sentence = TOO_SLOW
    except Exception:
        logger.exception("tool failed: reply=%s name=%s", call.reply.pk, tool.name)
        sentence = FAILED
    return {"error": sentence[:COMPLAINT]}, False


def _storable(call: ToolCall) -> ToolCall:
    arguments = call.arguments if len(call.arguments) <= LONGEST else ""
    return ToolCall(_clean(call.id)[:100], _clean(call.name)[:64], _clean(arguments))


def _clean(text: str) -> str:
    # PostgreSQL's JSON holds neither NUL nor lone surrogates.
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def forget_others_words(reply: Reply) -> None:
    """Removes other people's words from the steps of a reply that has ended.

    They were needed only for its answer, and their authors may delete their messages or accounts.
    """
    for step in reply.steps.filter(taints=True):
        for call, given in zip(step.call["calls"], step.result, strict=True):
            tool, result = TOOLS.get(call["name"]), given["result"]
            if tool is None or ("error" not in result and tool.shows_others_words(result)):
                given["result"] = NOT_KEPT
        Step.objects.filter(pk=step.pk).update(result=step.result, taints=False)


def results_of(step: Step) -> list[tuple[str, str]]:
    return [(one["id"], json.dumps(one["result"], ensure_ascii=False)) for one in step.result]
