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

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("auth", AccountViewSet, basename="account")
router.register("auth/sessions", SessionViewSet, basename="session")
router.register("auth", SecondFactorViewSet, basename="second-factor")
router.register("auth/tokens", TokenViewSet, basename="token")
router.register("auth", RecoveryViewSet, basename="recovery")
router.register("auth", ExchangeViewSet, basename="exchange")
router.register("auth", LeavingViewSet, basename="leaving")

stream = StreamView.as_view(authentication_classes=[TicketAuthentication, BearerAuthentication])
preferences = PreferencesViewSet.as_view({"get": "retrieve", "put": "update", "patch": "partial_update"})

urlpatterns = [
    *router.urls,
    path("auth/config", ConfigView.as_view(), name="config"),
    path("auth/preferences", preferences, name="preferences"),
    path("events/stream", stream, name="event-stream"),
    path("events/ticket", TicketView.as_view(), name="event-ticket"),
]
