"""Authenticates bearer tokens (RFC 6750): one query reads the session or personal token with its user."""

from datetime import timedelta

from django.db.models import Model, QuerySet
from django.utils import timezone
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts.models import PersonalToken, Session, User
from accounts.personal_tokens import PREFIX, is_well_formed
from accounts.tokens import InvalidToken, digest, read_access_token
from aimessage.api.problems import SESSION_ENDED, TOKEN_INVALID, Unauthenticated
from aimessage.db.compiled import CompiledQuery, Param

#: How exact `last_used_at` is, so that not every request writes.
LAST_USED_PRECISION = timedelta(minutes=1)


def _columns(model: type[Model], *names: str) -> list[str]:
    # In the order of the model's fields, as Model.from_db() needs them.
    return [field.attname for field in model._meta.concrete_fields if field.attname in names]


#: The columns that requests usually need; the others are deferred.
SESSION_FIELDS = _columns(Session, "id", "user_id", "is_active", "created_at", "last_used_at", "expires_at")
USER_FIELDS = _columns(
    User,
    *("id", "username", "email", "full_name", "bio", "phone_number"),
    *("is_active", "is_staff", "is_superuser", "created_at", "updated_at"),
)


def _live_session() -> QuerySet[Session, object]:
    sessions = Session.objects.live(Param("now")).filter(
        session_token=Param("session_token"), user_id=Param("user_id")
    )
    users = (f"user__{name}" for name in USER_FIELDS)
    sessions = sessions.filter(user__is_active=True, user__kind=User.Kind.PERSON)
    return sessions.order_by().values_list(*SESSION_FIELDS, *users)


_LIVE_SESSION = CompiledQuery(_live_session)

TOKEN_FIELDS = _columns(PersonalToken, "id", "user_id", "scopes", "last_used_at")
_PREFIX = PREFIX.encode()


def _live_token() -> QuerySet[PersonalToken, object]:
    tokens = PersonalToken.objects.live(Param("now")).filter(token=Param("token"))
    users = (f"user__{name}" for name in USER_FIELDS)
    tokens = tokens.filter(user__is_active=True, user__kind=User.Kind.PERSON)
    return tokens.order_by().values_list(*TOKEN_FIELDS, *users)


_LIVE_TOKEN = CompiledQuery(_live_token)


class BearerAuthentication(JWTAuthentication):
    """Sets `request.user`, and `request.auth` to the Session or PersonalToken.

    The row is read for every request, so a revocation takes effect at once on every worker.
    """

    def authenticate(self, request: Request) -> tuple[User, Session | PersonalToken] | None:
        header = self.get_header(request)
        if not header:
            return None
        scheme, _, raw_token = header.strip().partition(b" ")
        # The scheme ignores case (RFC 9110, 11.1): clients send our `token_type`, "bearer".
        if scheme.lower() != b"bearer":
            return None
        raw_token = raw_token.strip()
        found = find_token(raw_token) if raw_token.startswith(_PREFIX) else find_session(raw_token)
        return found.user, found

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def find_session(raw_token: bytes) -> Session:
    """Returns the live session of an access token. Raises Unauthenticated."""
    try:
        claims = read_access_token(raw_token)
    except InvalidToken as error:
        raise Unauthenticated(TOKEN_INVALID) from error
    now = timezone.now()
    found = _LIVE_SESSION.rows(session_token=claims.session_token, user_id=claims.user_id, now=now)
    if not found:
        raise Unauthenticated(SESSION_ENDED)
    session: Session = Session.from_db(None, SESSION_FIELDS, found[0][: len(SESSION_FIELDS)])
    session.user = User.from_db(None, USER_FIELDS, found[0][len(SESSION_FIELDS) :])
    if now - session.last_used_at > LAST_USED_PRECISION:
        Session.objects.filter(pk=session.pk).update(last_used_at=now)
    return session


def find_token(raw_token: bytes) -> PersonalToken:
    """Returns the live personal token. Raises Unauthenticated."""
    text = raw_token.decode("latin-1")
    now = timezone.now()
    found = _LIVE_TOKEN.rows(token=digest(text), now=now) if is_well_formed(text) else []
    if not found:
        raise Unauthenticated(TOKEN_INVALID)
    token: PersonalToken = PersonalToken.from_db(None, TOKEN_FIELDS, found[0][: len(TOKEN_FIELDS)])
    token.user = User.from_db(None, USER_FIELDS, found[0][len(TOKEN_FIELDS) :])
    if token.last_used_at is None or now - token.last_used_at > LAST_USED_PRECISION:
        PersonalToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token
