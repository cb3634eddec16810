"""Which account receives the messages that people write to one of our numbers."""

from accounts.models import User
from channels.models import Sender
from channels.switch import configured
from messaging.aliases import real_user_id

#: The assistant's id for clients of the former backend.
ASSISTANT = -1


def inbox_of(sender: Sender) -> User | None:
    """The number's own inbox, else AI_MESSAGE_TWILIO_INBOX, else the assistant; None if it is not active."""
    if sender.inbox is not None:
        return sender.inbox if sender.inbox.is_active else None
    active = User.objects.active()
    username = configured().inbox
    found = active.named(username) if username else active.filter(pk=real_user_id(ASSISTANT))
    inbox: User | None = found.first()
    return inbox
