"""Which account people write to who write to one of our numbers."""

from collections.abc import Callable

from accounts.models import User
from channels.models import Sender
from channels.switch import twilio_or_404

#: Each names an account that takes what no other was named for, or None. The assistant adds itself.
finders: list[Callable[[], User | None]] = []


def inbox_of(sender: Sender) -> User | None:
    """The number's own inbox account, else AI_MESSAGE_TWILIO_INBOX, else the assistant, if it is active."""
    if sender.inbox is not None:
        return sender.inbox if sender.inbox.is_active else None
    if username := twilio_or_404().inbox:
        named: User | None = User.objects.active().named(username).first()
        return named
    return next((user for user in (find() for find in finders) if user is not None and user.is_active), None)
