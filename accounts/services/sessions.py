"""Opens, refreshes and ends sessions, with their tokens."""

import logging
import secrets
from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.models import Session as AdminSession
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.events import EndReason
from accounts.models import PendingLogin, RefreshToken, SecondFactor, Session, User
from accounts.querysets import SessionQuerySet
from accounts.services.mails import notify
from accounts.tokens import InvalidToken, TokenPair, digest, issue_pair, read_refresh_token
from aimessage.api.problems import Reason, Unauthenticated
from aimessage.db.batches import delete_in_batches
from aimessage.events.log import Entry, record_all
from aimessage.events.streams import SESSION_ENDED
from aimessage.mail.models import Mail
from aimessage.server.clients import client_place
from aimessage.server.logs import one_line
from aimessage.server.metrics import LOGINS, REFRESHES, count, count_login

#: 256 bits, in hex.
SESSION_TOKEN_BYTES = 32
HOUR = timedelta(hours=1)
#: How long a dead session is kept, for looking into a break-in.
KEEP_DEAD_SESSIONS = timedelta(days=30)
#: How long an unused device is remembered. At most KEEP_DEAD_SESSIONS.
KNOWN_FOR = timedelta(days=30)
#: Mails about logins per user and hour. An intruder with the password can invent devices.
NOTICES_AN_HOUR = 5
#: Sessions that are searched for the network of a login.
LOOKED_THROUGH = 500

WRONG_CREDENTIALS = Reason("Incorrect username or password", "invalid_credentials")
REFRESH_TOKEN_INVALID = Reason("Refresh token is invalid or expired", "invalid_token")

logger = logging.getLogger("auth")


@transaction.atomic
def open_session(
    user: User,
    *,
    device_info: str | None = None,
    ip_address: str | None = None,
    by_password_alone: bool = False,
) -> tuple[Session, TokenPair]:
    """Opens a session for `user`. The caller has just checked the password.

    Raises Unauthenticated if the password was changed or the account disabled meanwhile, or, with
    `by_password_alone`, if a second factor was turned on.
    """
    # The row lock closes a race: without it a login with the old password could open a session after a
    # password change or a disabling had ended all sessions.
    current = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    lets_in = current is not None and current.is_active and current.kind == User.Kind.PERSON
    if current is None or not lets_in or current.password != user.password:
        count_login("api", "wrong")
        raise Unauthenticated(WRONG_CREDENTIALS)
    # After the lock, because turning a second factor on takes it, too.
    if by_password_alone and SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists():
        count_login("api", "wrong")
        raise Unauthenticated(WRONG_CREDENTIALS)
    _sweep_user(user)
    session = _new_session(user, device_info, ip_address)
    session.expires_at = session.next_expiry(session.created_at)
    _notify_of_login(current, session)
    session.save(force_insert=True)
    User.objects.filter(pk=user.pk).update(last_login=session.created_at)
    count(LOGINS.labels("api", "success"))
    logger.info("login: user=%s session=%s address=%s", user.pk, session.pk, ip_address)
    return session, _issue(session)


@transaction.atomic
def remember_admin_login(user: User, *, device_info: str | None, ip_address: str | None) -> None:
    """Mails `user` about a login to the admin from a new place, as about one to the API.

    The place is remembered as an ended session; the admin's own sessions are not in this table.
    """
    # The lock makes parallel logins from one place send one mail.
    current = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    if current is None:
        return
    session = _new_session(current, device_info, ip_address)
    session.is_active, session.expires_at = False, session.created_at
    _notify_of_login(current, session)
    session.save(force_insert=True)


def _new_session(user: User, device_info: str | None, ip_address: str | None) -> Session:
    now = timezone.now()
    return Session(
        user=user,
        session_token=secrets.token_hex(SESSION_TOKEN_BYTES),
        device_info=one_line(device_info[:255])[:255] if device_info else None,
        ip_address=ip_address,
        created_at=now,
        last_used_at=now,
    )


def _notify_of_login(user: User, session: Session) -> None:
    if _is_worth_a_notice(user, session):
        notify(user, "new_login", device_info=session.device_info, ip_address=session.ip_address)


def _is_worth_a_notice(user: User, session: Session) -> bool:
    # The first login of an account (no last_login) is expected.
    if not user.notify_logins or user.email_verified_at is None or user.last_login is None:
        return False
    used = Session.objects.filter(user=user, last_used_at__gte=session.created_at - KNOWN_FOR)
    addresses = used.filter(device_info=session.device_info).values_list("ip_address", flat=True)
    if client_place(session.ip_address) in set(map(client_place, addresses[:LOOKED_THROUGH])):
        return False
    told = Mail.objects.filter(user=user, kind="new_login", created_at__gte=session.created_at - HOUR)
    return told.count() < NOTICES_AN_HOUR


def _issue(session: Session) -> TokenPair:
    pair = issue_pair(session)
    RefreshToken.objects.create(
        user_id=session.user_id,
        session=session,
        token=digest(pair.refresh_token),
        expires_at=session.expires_at,
    )
    return pair


def refresh_session(raw_token: str) -> TokenPair:
    """Trades a refresh token for a new pair and extends the session. A token works once.

    Raises Unauthenticated for any other text. If a used token comes back after settings.REUSE_LEEWAY, two
    parties hold it, and its session ends (RFC 9700, 4.14.2).
    """
    try:
        claims = read_refresh_token(raw_token)
    except InvalidToken as error:
        count(REFRESHES.labels("invalid"))
        raise Unauthenticated(REFRESH_TOKEN_INVALID) from error
    with transaction.atomic():
        # The lock serializes refreshes of a session with its end: without it a refresh could hand out tokens
        # for a session that was ended meanwhile.
        session = (
            Session.objects.live()
            .select_for_update(no_key=True, of=("self",))
            .select_related("user")
            .filter(session_token=claims.session_token, user_id=claims.user_id)
            .first()
        )
        if session and session.user.is_active and session.user.kind == User.Kind.PERSON:
            pair, outcome = _rotate(session, raw_token)
        else:
            pair, outcome = None, "ended"
    count(REFRESHES.labels(outcome))
    if pair is None:
        raise Unauthenticated(REFRESH_TOKEN_INVALID)
    return pair


def _rotate(session: Session, raw_token: str) -> tuple[TokenPair | None, str]:
    # Returns no pair if the token was used before; the text is one of REFRESH_OUTCOMES.
    now = timezone.now()
    tokens = RefreshToken.objects.filter(session=session, token=digest(raw_token))
    if not tokens.filter(is_used=False).update(is_used=True, used_at=now, updated_at=now):
        if tokens.filter(used_at__lt=now - settings.REUSE_LEEWAY).exists():
            end_sessions(Session.objects.filter(pk=session.pk), reason=EndReason.REUSED)
            return None, "reused"
        return None, "replayed"
    session.last_used_at = now
    session.expires_at = session.next_expiry(now)
    session.save(update_fields=["last_used_at", "expires_at", "updated_at"])
    logger.info("refresh: user=%s session=%s", session.user_id, session.pk)
    return _issue(session), "ok"


@transaction.atomic
def end_sessions(sessions: SessionQuerySet, *, reason: EndReason, note: str = "") -> int:
    """Ends the live ones of `sessions`, with their tokens, at once. Returns how many.

    `reason` is sent to the clients. The log shows `note` instead, if given.
    """
    # The lock makes a session end once, and be logged once, when two requests end it.
    live = sessions.filter(is_active=True).select_for_update(no_key=True, of=("self",)).order_by("pk")
    ended = list(live.values_list("pk", "user_id"))
    Session.objects.filter(pk__in=[pk for pk, _ in ended]).update(is_active=False, updated_at=timezone.now())
    for pk, user_id in ended:
        logger.info("session ended: user=%s session=%s reason=%s", user_id, pk, note or reason.label)
    record_all(
        Entry(SESSION_ENDED, [user_id], data={"session_id": pk, "reason": reason}) for pk, user_id in ended
    )
    return len(ended)


def log_out(session: Session, *, refresh_token: str | None = None) -> None:
    """Ends `session`, and also the session of `refresh_token` if that is the same user's."""
    ended = [session.pk]
    if refresh_token:
        own = RefreshToken.objects.filter(user_id=session.user_id, token=digest(refresh_token))
        ended += own.values_list("session_id", flat=True)
    end_sessions(Session.objects.filter(pk__in=ended), reason=EndReason.LOGOUT)


@transaction.atomic
def log_out_everywhere(user: User, *, reason: EndReason = EndReason.LOGOUT_ALL, note: str = "") -> int:
    """Ends every session of `user`, in the admin as well. Returns how many API sessions were live."""
    # The lock is open_session's: a parallel login is either finished, and ended here, or starts afterwards.
    User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    PendingLogin.objects.filter(user=user).delete()
    User.objects.filter(pk=user.pk).update(admin_epoch=F("admin_epoch") + 1)
    return end_sessions(Session.objects.filter(user=user), reason=reason, note=note)


def _sweep_user(user: User) -> None:
    RefreshToken.objects.filter(user=user, expires_at__lt=timezone.now()).delete()
    Session.objects.filter(user=user).dead_for(KEEP_DEAD_SESSIONS).delete()


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    now = timezone.now()
    expired = {
        "refresh tokens": RefreshToken.objects.filter(expires_at__lt=now),
        "sessions": Session.objects.dead_for(KEEP_DEAD_SESSIONS),
        "admin logins": AdminSession.objects.filter(expire_date__lt=now),
    }
    return {what: delete_in_batches(rows, dry_run=dry_run) for what, rows in expired.items()}
