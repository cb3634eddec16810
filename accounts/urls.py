from django.urls import path
from rest_framework.routers import SimpleRouter

from accounts.authentication import BearerAuthentication
from accounts.tickets import TicketAuthentication
from accounts.views.account import AccountViewSet
from accounts.views.config import ConfigView
from accounts.views.exchange import ExchangeViewSet
from accounts.views.leaving import LeavingViewSet
from accounts.views.preferences import PreferencesViewSet
from accounts.views.recovery import RecoveryViewSet
from accounts.views.second_factor import SecondFactorViewSet
from accounts.views.sessions import SessionViewSet, TicketView
from accounts.views.tokens import TokenViewSet
from aimessage.events.stream_view import StreamView

account = SimpleRouter(trailing_slash=False, use_regex_path=False)
account.register("", AccountViewSet, basename="account")

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("sessions", SessionViewSet, basename="session")
router.register("", SecondFactorViewSet, basename="second-factor")
router.register("tokens", TokenViewSet, basename="token")
router.register("", RecoveryViewSet, basename="recovery")
router.register("", ExchangeViewSet, basename="exchange")
router.register("", LeavingViewSet, basename="leaving")

stream = StreamView.as_view(authentication_classes=[TicketAuthentication, BearerAuthentication])
preferences = PreferencesViewSet.as_view({"get": "retrieve", "put": "update", "patch": "partial_update"})

under_auth = [
    *router.urls,
    path("config", ConfigView.as_view(), name="config"),
    path("preferences", preferences, name="preferences"),
]
urlpatterns = [
    path("events/stream", stream, name="event-stream"),
    path("events/ticket", TicketView.as_view(), name="event-ticket"),
]
