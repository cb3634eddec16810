from django.urls import path
from rest_framework.routers import SimpleRouter

from channels.views.delivery import DeliveryViewSet
from channels.views.phone import PhoneViewSet
from channels.views.webhook import StatusView, WebhookView

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("", PhoneViewSet, basename="phone")
under_auth = router.urls

urlpatterns = [
    path("twilio_webhook", WebhookView.as_view(), name="twilio-webhook"),
    path("twilio_webhook/status", StatusView.as_view(), name="twilio-status"),
    path("messages/<str:pk>/delivery", DeliveryViewSet.as_view({"get": "retrieve"}), name="message-delivery"),
]
