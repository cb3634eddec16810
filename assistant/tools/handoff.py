"""A tool that hands the asker over to a person."""

from assistant.services.handoff import hand_over_reply
from assistant.tools import Arguments, Call, Result, Tool, add_tool

LONGEST = 1000


def request_person(call: Call, arguments: Arguments) -> Result:
    # Other people's words must not reach the moderators in the user's name.
    reason = "" if call.tainted else arguments.get("reason", "")
    report = hand_over_reply(call.reply, reason=reason)
    return {"report_id": report.pk}


add_tool(
    Tool(
        name="request_person",
        description=(
            "Hands the conversation over to a person of the support team, who answers here. Use it when the"
            " user asks for one, or when you cannot help."
        ),
        parameters={
            "type": "object",
            "properties": {"reason": {"type": "string", "maxLength": LONGEST}},
        },
        function=request_person,
        changes=True,
        always=True,
    )
)
