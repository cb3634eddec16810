"""WhatsApp's customer service window: people may be sent any text for 24 hours after they wrote."""

from datetime import timedelta

from django.utils import timezone

from channels.models import Channel, Thread

WINDOW = timedelta(hours=24)


def is_closed(thread: Thread) -> bool:
    is_whatsapp = Channel.of(thread.reply_to) == Channel.WHATSAPP
    return is_whatsapp and thread.last_inbound_at <= timezone.now() - WINDOW
