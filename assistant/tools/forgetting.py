"""A tool that excludes the conversation so far from the model's context."""

from assistant.account import get_thread
from assistant.models import Thread
from assistant.tools import Arguments, Call, Result, Tool, add_tool


def forget_conversation(call: Call, arguments: Arguments) -> Result:
    thread = get_thread(call.asker, call.reply.profile)
    # Up to and including the question: its answer is still to come.
    Thread.objects.filter(pk=thread.pk, context_after__lt=call.reply.question_id).update(
        context_after=call.reply.question_id
    )
    return {"forgotten": True}


add_tool(
    Tool(
        name="forget_conversation",
        description="Makes you forget what was said here before. Use it only when the user asks for it.",
        parameters={"type": "object", "properties": {}},
        function=forget_conversation,
        changes=True,
    )
)
