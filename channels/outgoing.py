"""Registers the sending of messages with the lower rooms: checks, events, loops and periodic jobs."""

from datetime import timedelta

from aimessage.jobs.clock import periodically
from aimessage.jobs.loops import Loop, add_loop
from channels import gauges  # noqa: F401  registers them
from channels.events import add_delivery_kinds
from channels.jobs import dispatch, prune
from channels.services.deliveries import IS_CLOSED, WANTS_NO_MESSAGES, check_contact_takes_messages, deliver
from channels.services.incoming import attach_message
from messaging.services import extensions


def add_outgoing() -> None:
    extensions.checks.append(check_contact_takes_messages)
    extensions.followers += [attach_message, deliver]
    extensions.refusals |= {403: [WANTS_NO_MESSAGES], 409: [IS_CLOSED]}
    add_delivery_kinds()
    add_loop(Loop("channels.dispatch", dispatch, every=0.25))
    periodically("channels.prune", timedelta(hours=1), prune)
