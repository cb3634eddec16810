"""Who is it? Bearer tokens (RFC 6750), by one query, and username with password."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import authenticate, user_logged_in
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts.backends import check_nobodys_password
from accounts.guesses import Guess, guessing
from accounts.models import PersonalToken, Session, User
from accounts.names import is_too_long
from accounts.personal_tokens import PREFIX, is_well_formed
from accounts.services import leaving
from accounts.services.codes import WRONG_CODE, check_code, has_second_factor
from accounts.services.leaving import find_pending, pending_sentence
from accounts.services.pending_logins import LIFETIME, begin_second_step, find_second_step
from accounts.services.sessions import WRONG_CREDENTIALS
from accounts.tokens import InvalidToken, digest, read_access_token
from aimessage.api.guesses import LockedOut
from aimessage.api.problems import SESSION_ENDED, TOKEN_INVALID, Forbidden, Reason, Unauthenticated
from aimessage.db.compiled import Prepared
from aimessage.server.metrics import count_login

#: `last_used_at` is no more exact than this, so that reading does not always write.
LAST_USED_PRECISION = timedelta(minutes=1)
ACCOUNT_DISABLED = Reason("User is disabled", "account_disabled")
SECOND_FACTOR_REQUIRED = Reason(
    "Two-factor code required",
    "second_factor_required",
    members={
        "login_token": "x3Jq0m6n…",
        "expires_in": int(LIFETIME.total_seconds()),
        "methods": ["totp", "recovery_code"],
    },
)


class SecondFactorRequired(Forbidden):
    """The password is right, and a code has to follow."""

    def __init__(self, login_token: str) -> None:
        super().__init__(SECOND_FACTOR_REQUIRED)
        self.login_token = login_token

    @property
    def members(self) -> dict[str, Any]:
        return {**SECOND_FACTOR_REQUIRED.members, "login_token": self.login_token}


class Checked(NamedTuple):
    user: User
    #: Whether the password was all that was asked for.
    by_password_alone: bool


EMAIL_UNVERIFIED = Reason("E-mail address not verified", "email_unverified")


def _columns(model: type[Model], *names: str) -> list[str]:
    """Those names in the order of the model's fields, as Model.from_db takes values."""
    return [field.attname for field in model._meta.concrete_fields if field.attname in names]


#: What requests look at; Django fetches the others of these two rows where one does.
SESSION_FIELDS = _columns(Session, "id", "user_id", "is_active", "created_at", "last_used_at", "expires_at")
USER_FIELDS = _columns(
    User,
    *("id", "username", "email", "full_name", "bio", "phone_number"),
    *("is_active", "is_staff", "is_superuser", "created_at", "updated_at"),
)


def _live_session(session_token: str, user_id: int, now: datetime) -> QuerySet[Any, Any]:
    sessions = Session.objects.live(now).filter(session_token=session_token, user_id=user_id)
    users = (f"user__{name}" for name in USER_FIELDS)
    sessions = sessions.filter(user__is_active=True, user__kind=User.Kind.PERSON)
    return sessions.order_by().values_list(*SESSION_FIELDS, *users)


_LIVE_SESSION = Prepared(_live_session)

TOKEN_FIELDS = _columns(PersonalToken, "id", "user_id", "scopes", "last_used_at")
_PREFIX = PREFIX.encode()


def _live_token(token: str, now: datetime) -> QuerySet[Any, Any]:
    tokens = PersonalToken.objects.live(now).filter(token=token)
    users = (f"user__{name}" for name in USER_FIELDS)
    tokens = tokens.filter(user__is_active=True, user__kind=User.Kind.PERSON)
    return tokens.order_by().values_list(*TOKEN_FIELDS, *users)


_LIVE_TOKEN = Prepared(_live_token)


class BearerAuthentication(JWTAuthentication):
    """Sets `request.user`, and `request.auth` to the session or the personal token.

    Revocation takes effect at once on every worker, since the session is read for every request.
    """

    def authenticate(self, request: Request) -> tuple[User, Session | PersonalToken] | None:
        header = self.get_header(request)
        if not header:
            return None
        scheme, _, raw_token = header.strip().partition(b" ")
        # RFC 9110, 11.1: the scheme's case does not matter. Clients send `token_type` as it stands.
        if scheme.lower() != b"bearer":
            return None
        raw_token = raw_token.strip()
        found = find_token(raw_token) if raw_token.startswith(_PREFIX) else find_session(raw_token)
        return found.user, found

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def find_session(raw_token: bytes) -> Session:
    """The live session of an access token; raises Unauthenticated."""
    try:
        claims = read_access_token(raw_token)
    except InvalidToken as error:
        raise Unauthenticated(TOKEN_INVALID) from error
    now = timezone.now()
    found = _LIVE_SESSION.rows(claims.session_token, claims.user_id, now)
    if not found:
        raise Unauthenticated(SESSION_ENDED)
    session: Session = Session.from_db(None, SESSION_FIELDS, found[0][: len(SESSION_FIELDS)])
    session.user = User.from_db(None, USER_FIELDS, found[0][len(SESSION_FIELDS) :])
    if now - session.last_used_at > LAST_USED_PRECISION:
        Session.objects.filter(pk=session.pk).update(last_used_at=now)
    return session


def find_token(raw_token: bytes) -> PersonalToken:
    """The live personal token; raises Unauthenticated."""
    text = raw_token.decode("latin-1")
    now = timezone.now()
    found = _LIVE_TOKEN.rows(digest(text), now) if is_well_formed(text) else []
    if not found:
        raise Unauthenticated(TOKEN_INVALID)
    token: PersonalToken = PersonalToken.from_db(None, TOKEN_FIELDS, found[0][: len(TOKEN_FIELDS)])
    token.user = User.from_db(None, USER_FIELDS, found[0][len(TOKEN_FIELDS) :])
    if token.last_used_at is None or now - token.last_used_at > LAST_USED_PRECISION:
        PersonalToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def check_credentials(
    request: HttpRequest,
    *,
    username: str,
    password: str,
    code: str | None = None,
    recovery_code: str | None = None,
) -> Checked:
    """The user with that name and password; unknown name and wrong password are one answer.

    Raises Unauthenticated, also for a wrong code; Forbidden for an account that is disabled or about to be
    deleted, and SecondFactorRequired where a code is missing; LockedOut while the pair of name and address is
    locked out, or after too many
    wrong codes; and Busy where too many passwords wait to be checked.
    """
    if is_too_long(username):  # nobody's: there is nothing to look up, and nothing to count
        check_nobodys_password(password)
        count_login("api", "wrong")
        raise Unauthenticated(WRONG_CREDENTIALS)
    try:
        with guessing(request, username) as guess:
            user = authenticate(request, username=username, password=password)
            if not isinstance(user, User):
                guess.wrong()
                count_login("api", "wrong")
                raise Unauthenticated(WRONG_CREDENTIALS)
            guess.right()
            if not user.is_active:
                count_login("api", "disabled")
            refuse_shut_out(user)
            if settings.EMAIL_VERIFICATION == "required" and user.email_verified_at is None:
                count_login("api", "unverified")
                raise Forbidden(EMAIL_UNVERIFIED)
            by_password_alone = not has_second_factor(user)
            if not by_password_alone:
                if not (code or recovery_code):
                    count_login("api", "code_required")
                    raise SecondFactorRequired(begin_second_step(user))
                _check_code(user, guess, code, recovery_code)
    except LockedOut:
        count_login("api", "locked")
        raise
    guess.forgive()
    user_logged_in.send(sender=User, request=request, user=user)
    return Checked(user, by_password_alone)


def refuse_shut_out(user: User) -> None:
    """Raises Forbidden for an account that is disabled, or about to be deleted at its owner's wish."""
    if user.is_active:
        return
    pending = find_pending(user)
    raise Forbidden(pending_sentence(pending) if pending else ACCOUNT_DISABLED)


def check_second_step(
    request: HttpRequest, *, login_token: str, code: str | None = None, recovery_code: str | None = None
) -> User:
    """The user of a login token, which is used up, as the code is.

    Raises Unauthenticated for a token or a code that is no good, LockedOut and Forbidden after too many
    wrong codes, and Busy.
    """
    step = find_second_step(login_token)
    try:
        with guessing(request, step.user.username) as guess, step.trying():
            _check_code(step.user, guess, code, recovery_code)
            guess.right()
            step.use()
    except LockedOut:
        count_login("api", "locked")
        raise
    guess.forgive()
    user_logged_in.send(sender=User, request=request, user=step.user)
    return step.user


def _check_code(user: User, guess: Guess, code: str | None, recovery_code: str | None) -> None:
    if not check_code(user, code=code, recovery_code=recovery_code):
        guess.wrong()
        count_login("api", "wrong_code")
        raise Unauthenticated(WRONG_CODE)


def _require_second_factor(
    request: HttpRequest, user: User, code: str | None, recovery_code: str | None
) -> None:
    if not has_second_factor(user):
        return
    if not (code or recovery_code):
        raise SecondFactorRequired(begin_second_step(user))
    if not check_code(user, code=code, recovery_code=recovery_code):
        raise Unauthenticated(WRONG_CODE)


# Whoever undoes a deletion proves as much as at a login.
leaving.further_checks.append(_require_second_factor)
