from django.urls import path
from rest_framework.routers import SimpleRouter

from accounts.authentication import BearerAuthentication
from accounts.config_views import ConfigView
from accounts.exchange_views import ExchangeViewSet
from accounts.leaving_views import LeavingViewSet
from accounts.preference_views import PreferencesViewSet
from accounts.recovery_views import RecoveryViewSet
from accounts.second_factor_views import SecondFactorViewSet
from accounts.tickets import TicketAuthentication
from accounts.token_views import TokenViewSet
from accounts.views import AccountViewSet, SessionViewSet, TicketView
from aimessage.events.stream_view import StreamView

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("auth/sessions", SessionViewSet, basename="session")
router.register("auth", SecondFactorViewSet, basename="second-factor")
router.register("auth/tokens", TokenViewSet, basename="token")
router.register("auth", RecoveryViewSet, basename="recovery")
router.register("auth", AccountViewSet, basename="account")
router.register("auth", ExchangeViewSet, basename="exchange")
router.register("auth", LeavingViewSet, basename="leaving")

stream = StreamView.as_view(authentication_classes=[TicketAuthentication, BearerAuthentication])
preferences = PreferencesViewSet.as_view({"get": "retrieve", "put": "update", "patch": "partial_update"})

urlpatterns = [
    path("auth/config", ConfigView.as_view(), name="config"),
    path("auth/preferences", preferences, name="preferences"),
    path("events/stream", stream, name="event-stream"),
    path("events/ticket", TicketView.as_view(), name="event-ticket"),
    *router.urls,
]
