from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from accounts.openapi.reasons import PROOF_REFUSED, UNAVAILABLE
from accounts.serializers.leaving import (
    CancellationSerializer,
    DeletionAnswerSerializer,
    DeletionSerializer,
    ExportSerializer,
)
from accounts.services.codes import RESET_REQUIRED, WRONG_CODE
from accounts.services.mail_secrets import LINK_INVALID
from accounts.services.pending_logins import SECOND_FACTOR_REQUIRED
from accounts.services.proof import WRONG_PASSWORD
from accounts.services.sessions import WRONG_CREDENTIALS
from accounts.services.users import LAST_SUPERUSER
from accounts.views.leaving import DELETED, WILL_BE_DELETED, WILL_STAY, ZIP, LeavingViewSet
from aimessage.api.guesses import LOCKED_OUT
from aimessage.api.schema.answers import answer
from aimessage.api.schema.descriptions import ViewDescription


class LeavingDescription(ViewDescription):
    target_class = LeavingViewSet
    operations = {
        "export": extend_schema(
            tags=["accounts"],
            operation_id="export_me",
            summary="Take along all that one has here, as a zip",
            request=ExportSerializer,
            responses={
                (200, ZIP): OpenApiResponse(OpenApiTypes.BINARY),
                400: [WRONG_PASSWORD, WRONG_CODE],
                403: PROOF_REFUSED,
                429: LOCKED_OUT,
                503: UNAVAILABLE,
            },
        ),
        "leave": extend_schema(
            tags=["accounts"],
            operation_id="delete_me",
            summary="Leave: disabled at once, deleted some days later",
            request=DeletionSerializer,
            responses={
                200: answer(DELETED),
                202: OpenApiResponse(
                    DeletionAnswerSerializer,
                    examples=[
                        OpenApiExample(
                            "Example",
                            {"message": WILL_BE_DELETED, "deletion_at": "2026-01-16T03:04:05.678901Z"},
                            status_codes=["202"],
                        )
                    ],
                ),
                400: [WRONG_PASSWORD, WRONG_CODE],
                403: [*PROOF_REFUSED, LAST_SUPERUSER],
                429: LOCKED_OUT,
                503: UNAVAILABLE,
            },
        ),
        "cancel": extend_schema(
            tags=["accounts"],
            operation_id="cancel_deletion",
            summary="Stay after all",
            request=CancellationSerializer,
            responses={
                200: answer(WILL_STAY),
                403: [SECOND_FACTOR_REQUIRED, RESET_REQUIRED],
                401: [WRONG_CREDENTIALS, WRONG_CODE, LINK_INVALID],
                429: LOCKED_OUT,
                503: UNAVAILABLE,
            },
        ),
    }
