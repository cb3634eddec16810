from django.urls import path
from rest_framework.routers import SimpleRouter

from accounts.authentication import BearerAuthentication
from accounts.second_factor_views import SecondFactorViewSet
from accounts.tickets import TicketAuthentication
from accounts.views import AccountViewSet, SessionViewSet, TicketView
from aimessage.events.stream_view import StreamView

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("auth/sessions", SessionViewSet, basename="session")
router.register("auth", SecondFactorViewSet, basename="second-factor")
router.register("auth", AccountViewSet, basename="account")

stream = StreamView.as_view(authentication_classes=[TicketAuthentication, BearerAuthentication])

urlpatterns = [
    path("events/stream", stream, name="event-stream"),
    path("events/ticket", TicketView.as_view(), name="event-ticket"),
    *router.urls,
]
