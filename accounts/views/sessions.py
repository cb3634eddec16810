from datetime import datetime

from django.db import models
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.events import EndReason
from accounts.models import Session, User
from accounts.querysets import SessionQuerySet
from accounts.serializers import SessionSerializer
from accounts.services.sessions import end_sessions
from accounts.tickets import TICKET_LIFETIME, issue_ticket
from aimessage.api.lists.listing import Listing
from aimessage.api.viewsets import ApiViewSet
from aimessage.db.compiled import Param


def live_sessions(user: User | Param, current: int | Param, now: datetime | Param) -> SessionQuerySet:
    is_current = models.ExpressionWrapper(models.Q(pk=current), output_field=models.BooleanField())
    return Session.objects.live(now).filter(user=user).annotate(is_current=is_current)


SESSION_DELETED = "Session deleted successfully"
SESSIONS = Listing(SessionSerializer, live_sessions)


class SessionViewSet(ApiViewSet[Session]):
    serializer_class = SessionSerializer
    newest_first = True
    cursor_description = "the id of a session"
    not_found = "Session not found"

    def get_queryset(self) -> SessionQuerySet:
        return Session.objects.live().filter(user=self.user)

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        return self.answer_list(SESSIONS, self.user, self.session.pk, timezone.now())

    def destroy(self, request: Request, pk: str) -> Response:
        session = self.get_object()
        end_sessions(Session.objects.filter(pk=session.pk), reason=EndReason.DELETED)
        return Response({"message": SESSION_DELETED})


class TicketView(APIView):
    http_method_names = ["post"]

    def post(self, request: Request) -> Response:
        request.data  # noqa: B018  a body that cannot be read is refused, also where none is used
        ticket = issue_ticket(request.auth)  # type: ignore[arg-type]  # BearerAuthentication's
        return Response({"ticket": ticket, "expires_in": TICKET_LIFETIME}, status=201)
