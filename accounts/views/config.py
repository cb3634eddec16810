from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from aimessage.api.system import PublicView

#: Seconds for which clients and caches may keep the answer.
MAX_AGE = 300


class ConfigView(PublicView):
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
