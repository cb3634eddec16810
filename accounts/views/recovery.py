from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.serializers import UserSerializer, answer
from accounts.serializers.recovery import (
    AddressSerializer,
    NewAddressSerializer,
    ResetSerializer,
    VerifySerializer,
    address_answer,
)
from accounts.services.codes import WRONG_CODE
from accounts.services.mail_secrets import LINK_INVALID
from accounts.services.mails import MAIL_OFF, ask_for_reset, ask_for_verification, require_mail
from accounts.services.proof import WRONG_PASSWORD, check_proof
from accounts.services.recovery import change_address, reset_password, verify_address
from accounts.services.users import TAKEN
from accounts.throttles import ConfirmThrottle, LoginThrottle, MailThrottle
from accounts.views.base import PROOF_REFUSED, PUBLIC, UNAVAILABLE
from aimessage.api.guesses import LOCKED_OUT
from aimessage.api.viewsets import ApiViewSet

RESET_ASKED = "If this address belongs to an account, a mail is on its way"
VERIFICATION_ASKED = "If this address awaits verification, a mail is on its way"
PASSWORD_CHANGED = "Password changed successfully"  # noqa: S105  a sentence
ADDRESS_VERIFIED = "E-mail address verified"
CHANGE_ASKED = "A mail is on its way to the new address"
UNCHANGED, CHANGED = "Email unchanged", "Email changed"


class RecoveryViewSet(ApiViewSet):
    """Ways back into an account by mail, and its address."""

    serializer_class = UserSerializer
    pagination_class = None
    queryset = User.objects.none()

    @extend_schema(
        tags=["accounts"],
        operation_id="ask_for_password_reset",
        summary="Have a link mailed with which to set a new password",
        request=AddressSerializer,
        responses={202: answer(RESET_ASKED), 403: MAIL_OFF},
    )
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

    @extend_schema(
        tags=["accounts"],
        operation_id="reset_password",
        summary="Set a new password by a mailed link or code; every session ends",
        request=ResetSerializer,
        responses={200: answer(PASSWORD_CHANGED), 400: LINK_INVALID, 503: UNAVAILABLE},
    )
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

    @extend_schema(
        tags=["accounts"],
        operation_id="ask_for_verification",
        summary="Have the link mailed again that verifies one's address",
        request=AddressSerializer,
        responses={202: answer(VERIFICATION_ASKED), 403: MAIL_OFF},
    )
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

    @extend_schema(
        tags=["accounts"],
        operation_id="verify_address",
        summary="Verify an address, a first or a new one, by a mailed link or code",
        request=VerifySerializer,
        responses={200: answer(ADDRESS_VERIFIED), 400: [LINK_INVALID, TAKEN["email"]]},
    )
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

    @extend_schema(
        tags=["accounts"],
        operation_id="change_address",
        summary="Change one's address; the present one stays until the new one is verified",
        request=NewAddressSerializer,
        responses={
            200: address_answer(UNCHANGED, None),
            202: address_answer(CHANGE_ASKED, "alice@example.net"),
            400: [WRONG_PASSWORD, WRONG_CODE, TAKEN["email"]],
            403: PROOF_REFUSED,
            429: LOCKED_OUT,
            503: UNAVAILABLE,
        },
    )
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
