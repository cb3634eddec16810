from drf_spectacular.utils import extend_schema

from accounts.openapi.reasons import PROOF_REFUSED, UNAVAILABLE
from accounts.serializers import (
    LoginAnswerSerializer,
    LoginSerializer,
    LogoutSerializer,
    PasswordSerializer,
    ProfileSerializer,
    RefreshSerializer,
    RegisterSerializer,
    TokenPairSerializer,
    UserSerializer,
)
from accounts.services.codes import RESET_REQUIRED, WRONG_CODE
from accounts.services.invitations import INVITATION_INVALID, INVITATION_REQUIRED, REGISTRATION_CLOSED
from accounts.services.leaving import DELETION_PENDING
from accounts.services.logins import ACCOUNT_DISABLED, EMAIL_UNVERIFIED
from accounts.services.pending_logins import SECOND_FACTOR_REQUIRED
from accounts.services.proof import WRONG_PASSWORD
from accounts.services.sessions import REFRESH_TOKEN_INVALID, WRONG_CREDENTIALS
from accounts.services.users import TAKEN
from accounts.views.account import LOGGED_OUT, LOGGED_OUT_EVERYWHERE, PASSWORD_CHANGED, AccountViewSet
from aimessage.api.guesses import LOCKED_OUT
from aimessage.api.schema.answers import answer
from aimessage.api.schema.descriptions import ViewDescription


class AccountDescription(ViewDescription):
    target_class = AccountViewSet
    operations = {
        "register": extend_schema(
            tags=["accounts"],
            operation_id="register_user",
            summary="Create an account",
            request=RegisterSerializer,
            responses={
                201: UserSerializer,
                400: [*TAKEN.values(), INVITATION_INVALID],
                403: [REGISTRATION_CLOSED, INVITATION_REQUIRED],
                503: UNAVAILABLE,
            },
        ),
        "login": extend_schema(
            tags=["accounts"],
            operation_id="log_in",
            summary="Open a session",
            request=LoginSerializer,
            responses={
                200: LoginAnswerSerializer,
                401: [WRONG_CREDENTIALS, WRONG_CODE],
                403: [
                    *(ACCOUNT_DISABLED, DELETION_PENDING, EMAIL_UNVERIFIED),
                    *(SECOND_FACTOR_REQUIRED, RESET_REQUIRED),
                ],
                429: LOCKED_OUT,
                503: UNAVAILABLE,
            },
        ),
        "refresh": extend_schema(
            tags=["accounts"],
            operation_id="refresh_tokens",
            summary="Trade a refresh token for a new pair of tokens",
            request=RefreshSerializer,
            responses={200: TokenPairSerializer, 401: REFRESH_TOKEN_INVALID},
        ),
        "logout": extend_schema(
            tags=["accounts"],
            operation_id="log_out",
            summary="End this session, and that of a refresh token",
            request=LogoutSerializer,
            responses={200: answer(LOGGED_OUT)},
        ),
        "logout_all": extend_schema(
            tags=["accounts"],
            operation_id="log_out_everywhere",
            summary="End all of one's sessions",
            request=None,
            responses={200: answer(LOGGED_OUT_EVERYWHERE)},
        ),
        "me": extend_schema(
            tags=["accounts"],
            operation_id="get_me",
            summary="One's own account",
            responses={200: UserSerializer},
        ),
        "update_me": extend_schema(
            tags=["accounts"],
            operation_id="update_me",
            summary="Change one's profile: the fields that are sent",
            request=ProfileSerializer,
            responses={200: UserSerializer, 400: TAKEN["phone_number"]},
        ),
        "patch_me": extend_schema(
            tags=["accounts"],
            operation_id="patch_me",
            summary="The same as PUT",
            request=ProfileSerializer,
            responses={200: UserSerializer, 400: TAKEN["phone_number"]},
        ),
        "password": extend_schema(
            tags=["accounts"],
            operation_id="change_password",
            summary="Change one's password; every other session ends",
            request=PasswordSerializer,
            responses={
                200: answer(PASSWORD_CHANGED),
                400: [WRONG_PASSWORD, WRONG_CODE],
                403: PROOF_REFUSED,
                429: LOCKED_OUT,
                503: UNAVAILABLE,
            },
        ),
    }
