"""Tickets that open an event stream, because a browser's EventSource cannot send an Authorization header."""

import secrets
from collections.abc import Collection
from datetime import timedelta

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.models import Session, StreamTicket, User
from accounts.tokens import digest
from aimessage.api.problems import Unauthenticated
from aimessage.events.streams import TICKET_INVALID

#: Seconds.
TICKET_LIFETIME = 60
TICKET_BYTES = 32
#: Characters of the longest text that is looked up.
MAX_LENGTH = 100


def issue_ticket(session: Session) -> str:
    """Returns a ticket that opens one stream of `session`, within TICKET_LIFETIME seconds."""
    ticket = secrets.token_urlsafe(TICKET_BYTES)
    now = timezone.now()
    expires_at = now + timedelta(seconds=TICKET_LIFETIME)
    session.tickets.filter(expires_at__lte=now).delete()
    StreamTicket.objects.create(session=session, token=digest(ticket), expires_at=expires_at)
    return ticket


def sweep_tickets(*, dry_run: bool = False) -> dict[str, int]:
    expired = StreamTicket.objects.filter(expires_at__lte=timezone.now())
    return {"stream tickets": expired.count() if dry_run else expired.delete()[0]}


def redeem_ticket(ticket: str) -> Session:
    """Uses the ticket up and returns its session. Raises Unauthenticated."""
    tickets = StreamTicket.objects.filter(token=digest(ticket), expires_at__gt=timezone.now())
    found = tickets.select_related("session__user").first() if len(ticket) <= MAX_LENGTH else None
    # If several requests use it at once, the one that deletes the row gets in.
    if found is None or not tickets.delete()[0] or not live_sessions([found.session_id]):
        raise Unauthenticated(TICKET_INVALID)
    return found.session


def live_sessions(ids: Collection[int]) -> set[int]:
    live = Session.objects.live().filter(pk__in=ids, user__is_active=True)
    return set(live.values_list("pk", flat=True))


class TicketAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, Session] | None:
        ticket = request.query_params.get("ticket")
        if ticket is None:
            return None
        session = redeem_ticket(ticket)
        return session.user, session

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
