"""The request and response bodies of accounts."""

from accounts.serializers.account import (
    EXAMPLE_TOKENS,
    EXAMPLE_USER,
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
from accounts.serializers.fields import (
    FullNameField,
    PasswordField,
    PhoneNumberField,
    UsernameField,
)
from accounts.serializers.sessions import SessionSerializer, TicketSerializer

__all__ = [
    "EXAMPLE_TOKENS",
    "EXAMPLE_USER",
    "FullNameField",
    "LoginAnswerSerializer",
    "LoginSerializer",
    "LogoutSerializer",
    "PasswordField",
    "PasswordSerializer",
    "PhoneNumberField",
    "ProfileSerializer",
    "RefreshSerializer",
    "RegisterSerializer",
    "SessionSerializer",
    "TicketSerializer",
    "TokenPairSerializer",
    "UserSerializer",
    "UsernameField",
]
