from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.serializers import example
from aimessage.api.system import PublicView

#: Seconds for which clients and caches may keep the answer.
MAX_AGE = 300


@example(
    {
        "registration": "open",
        "email_verification": "optional",
        "mail": True,
        "second_factors": ["totp"],
        "exchange": False,
        "deletion_days": 14,
    }
)
class ConfigSerializer(serializers.Serializer[None]):
    """What a client needs to know before anybody logs in."""

    registration = serializers.ChoiceField(["open", "invite", "closed"])
    email_verification = serializers.ChoiceField(["off", "optional", "required"])
    mail = serializers.BooleanField(help_text="Whether this server sends mails.")
    second_factors = serializers.ListField(child=serializers.ChoiceField(["totp"]))
    exchange = serializers.BooleanField(help_text="Whether `POST /auth/exchange` opens sessions.")
    deletion_days = serializers.IntegerField(
        min_value=0, help_text="For how long a deletion of one's account can be undone."
    )


class ConfigView(PublicView):
    @extend_schema(
        tags=["accounts"],
        operation_id="get_config",
        summary="How this server lets people in; public",
        responses=ConfigSerializer,
    )
    def get(self, request: Request) -> Response:
        config = {
            "registration": settings.REGISTRATION,
            "email_verification": settings.EMAIL_VERIFICATION,
            "mail": settings.MAIL_ON,
            "second_factors": ["totp"],
            "exchange": bool(settings.ISSUER),
            "deletion_days": settings.DELETION_DELAY.days,
        }
        return Response(config, headers={"Cache-Control": f"public, max-age={MAX_AGE}"})
