from django.db import transaction
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.serializers import UserSerializer
from accounts.serializers.recovery import (
    AddressSerializer,
    NewAddressSerializer,
    ResetSerializer,
    VerifySerializer,
)
from accounts.services.mails import ask_for_reset, ask_for_verification, require_mail
from accounts.services.proof import check_proof
from accounts.services.recovery import change_address, reset_password, verify_address
from accounts.throttles import ConfirmThrottle, LoginThrottle, MailThrottle
from accounts.views.account import PASSWORD_CHANGED
from accounts.views.base import PUBLIC
from aimessage.api.viewsets import ApiViewSet

RESET_ASKED = "If this address belongs to an account, a mail is on its way"
VERIFICATION_ASKED = "If this address awaits verification, a mail is on its way"
ADDRESS_VERIFIED = "E-mail address verified"
CHANGE_ASKED = "A mail is on its way to the new address"
UNCHANGED, CHANGED = "Email unchanged", "Email changed"


class RecoveryViewSet(ApiViewSet[User]):
    """Password resets by mail, and verifying and changing the e-mail address."""

    serializer_class = UserSerializer
    pagination_class = None
    queryset = User.objects.none()

    @action(
        detail=False,
        methods=["post"],
        url_path="password/reset",
        serializer_class=AddressSerializer,
        throttle_classes=[MailThrottle],
        **PUBLIC,
    )
    def ask_reset(self, request: Request) -> Response:
        require_mail()
        with transaction.atomic():
            ask_for_reset(self.read(request)["email"])
        return Response({"message": RESET_ASKED}, status=202)

    @action(
        detail=False,
        methods=["post"],
        url_path="password/reset/confirm",
        serializer_class=ResetSerializer,
        throttle_classes=[ConfirmThrottle],
        **PUBLIC,
    )
    def reset(self, request: Request) -> Response:
        reset_password(**self.read(request))
        return Response({"message": PASSWORD_CHANGED})

    @action(
        detail=False,
        methods=["post"],
        url_path="email/resend",
        serializer_class=AddressSerializer,
        throttle_classes=[MailThrottle],
        **PUBLIC,
    )
    def resend(self, request: Request) -> Response:
        require_mail()
        with transaction.atomic():
            ask_for_verification(self.read(request)["email"])
        return Response({"message": VERIFICATION_ASKED}, status=202)

    @action(
        detail=False,
        methods=["post"],
        url_path="email/verify",
        serializer_class=VerifySerializer,
        throttle_classes=[ConfirmThrottle],
        **PUBLIC,
    )
    def verify(self, request: Request) -> Response:
        verify_address(**self.read(request))
        return Response({"message": ADDRESS_VERIFIED})

    @action(
        detail=False,
        methods=["put"],
        url_path="me/email",
        serializer_class=NewAddressSerializer,
        throttle_classes=[MailThrottle, LoginThrottle],
    )
    def email(self, request: Request) -> Response:
        data = self.read(request)
        new = User.objects.normalize_email(data.pop("email"))
        check_proof(request, **data)
        before = self.user.email
        pending = change_address(self.user, new)
        if pending:
            said, status = CHANGE_ASKED, 202
        else:
            said, status = UNCHANGED if self.user.email == before else CHANGED, 200
        return Response({"message": said, "email_pending": pending}, status=status)
