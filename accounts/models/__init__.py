"""Users, their roles and sessions, and the credentials that they log in with."""

from accounts.models.failed_logins import FailedLogin
from accounts.models.identities import ExternalIdentity, UsedAssertion
from accounts.models.invitations import Invitation
from accounts.models.leaving import PendingDeletion
from accounts.models.mail_secrets import MailSecret
from accounts.models.roles import MODERATOR, Role
from accounts.models.second_factor import PendingLogin, RecoveryCode, SecondFactor, WrongCode
from accounts.models.sessions import RefreshToken, Session, StreamTicket
from accounts.models.tokens import PersonalToken
from accounts.models.users import FullNameField, User, validate_phone_number

__all__ = [
    "MODERATOR",
    "ExternalIdentity",
    "FailedLogin",
    "FullNameField",
    "Invitation",
    "MailSecret",
    "PendingDeletion",
    "PendingLogin",
    "PersonalToken",
    "RecoveryCode",
    "RefreshToken",
    "Role",
    "SecondFactor",
    "Session",
    "StreamTicket",
    "UsedAssertion",
    "User",
    "WrongCode",
    "validate_phone_number",
]
