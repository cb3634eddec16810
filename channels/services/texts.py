"""The texts of deliveries: the parts of messages, and the fixed texts of notices."""

from django.conf import settings

from channels.codes import code_of
from channels.models import Delivery
from channels.parts import to_parts

Notice = Delivery.Notice


def text_of(delivery: Delivery) -> str:
    """Empty if the part no longer exists, because the message was edited and is shorter now."""
    if delivery.message is not None:
        parts = to_parts(delivery.message.content, max_parts=delivery.parts)
        return parts[delivery.part - 1] if delivery.part <= len(parts) else ""
    name = settings.NAME
    match delivery.notice:
        case Notice.CODE:
            written = code_of(delivery.code) if delivery.code else ""
            return f"{written} is your code for {name}. Give it to nobody."
        case Notice.LINKED:
            return f"This address now belongs to your account at {name}. Reply STOP to get no more messages."
        case Notice.INVITE:
            return (
                f"This number belongs to {name}, and yours to no account there. Log in at"
                f" {settings.PUBLIC_URL}, and link your phone to write to us from it."
            )
        case Notice.STOPPED:
            return f"You will get no more messages from {name}. Reply START to get them again."
        case Notice.HELP:
            return f"You write with {name}: {settings.PUBLIC_URL}. Reply STOP to get no more messages."
    return ""
