"""Who you are: users, their roles, their sessions, and the refresh tokens of a session."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password, verify_password
from django.contrib.auth.models import AbstractUser, Group
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.names import USERNAME_MAX_LENGTH, normalize_username, validate_username
from accounts.passwords import accepted_forms, normalize_password
from accounts.personal_tokens import SHOWN_LENGTH
from accounts.phones import to_e164
from accounts.querysets import InvitationQuerySet, PersonalTokenQuerySet, SessionQuerySet, UserManager
from aimessage.db.fields import FoldedField, FoldedWordsField
from aimessage.db.text import fold, without_controls
from aimessage.models import TimeStamped

#: Name of the role that comes with the migrations; its members work reports in the admin.
MODERATOR = "moderator"


def validate_phone_number(value: str) -> None:
    try:
        to_e164(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class FullNameField(models.CharField):
    """A name that loses control characters and what turns the direction of writing, whoever sets it."""

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        name = getattr(model_instance, self.attname)
        if isinstance(name, str):
            name = without_controls(name).strip() or None
            setattr(model_instance, self.attname, name)
        return name


class User(TimeStamped, AbstractUser):
    class Kind(models.TextChoices):
        PERSON = "person"
        #: The assistant, or a program.
        BOT = "bot"
        #: Somebody who writes by SMS or WhatsApp.
        CONTACT = "contact"

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    date_joined = None  # type: ignore[assignment]

    username = models.CharField(
        max_length=USERNAME_MAX_LENGTH,
        unique=True,
        validators=[validate_username],
        help_text="Up to 100 letters, digits and @ . + - _; case does not tell names apart.",
        error_messages={"unique": "Username already registered"},
    )
    # What makes both unique without regard to case, and serves login and directory.
    username_key = FoldedField(source="username")
    email = models.EmailField("e-mail address", max_length=255)
    email_key = FoldedField(source="email")
    #: When its owner proved that the address is theirs.
    email_verified_at = models.DateTimeField(null=True, editable=False)
    full_name = FullNameField(max_length=255, null=True, blank=True)
    # Serves the directory's search and, by an index that PostgreSQL alone has, the admin's.
    name_words = FoldedWordsField(source="full_name")
    bio = models.TextField(null=True, blank=True)
    phone_number = models.CharField(
        max_length=20,
        null=True,
        blank=True,
        unique=True,
        validators=[validate_phone_number],
        help_text="In international form, as +49 30 123456.",
        error_messages={"unique": "Phone number already registered"},
    )
    #: Only persons log in, work in the admin or are superusers. The release before knows no such column.
    kind = models.CharField(
        max_length=10, choices=Kind, default=Kind.PERSON, db_default=Kind.PERSON.value, editable=False
    )
    #: Whether a mail tells of a login from an unknown device and network.
    notify_logins = models.BooleanField(default=True, db_default=True)

    #: The address that takes the place of `email` once it is verified.
    email_pending = models.CharField(max_length=255, null=True, editable=False)

    #: Part of what an admin session is checked against: adding 1 ends them all for good.
    admin_epoch = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    objects = UserManager()  # type: ignore[misc]

    #: Which column keeps the folded form of which.
    KEYS = {"username": "username_key", "email": "email_key", "full_name": "name_words"}

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["username_key"], name="user_unique_username_key"),
            models.UniqueConstraint(fields=["email_key"], name="user_unique_email_key"),
            models.CheckConstraint(
                condition=models.Q(is_superuser=False) | models.Q(is_staff=True),
                name="user_superuser_is_staff",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["person", "bot", "contact"]), name="user_kind_known"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="person") | models.Q(is_staff=False, is_superuser=False),
                name="user_only_persons_are_staff",
            ),
        ]
        indexes = [
            # GET /auth/directory: username_key LIKE 'ali%', whatever the database's locale
            models.Index(
                fields=["username_key"],
                name="user_username_prefix",
                opclasses=["text_pattern_ops"],
            ),
            # the admin's search
            models.Index(fields=["email_key"], name="user_email_prefix", opclasses=["text_pattern_ops"]),
            # the admin's lists of the disabled and of staff, and by last login
            models.Index(fields=["id"], name="user_disabled", condition=models.Q(is_active=False)),
            models.Index(fields=["id"], name="user_staff", condition=models.Q(is_staff=True)),
            models.Index(fields=["last_login"], name="user_last_login"),
            # the admin's list of superusers, and the lock that keeps the last one
            models.Index(fields=["id"], name="user_superusers", condition=models.Q(is_superuser=True)),
        ]

    def __str__(self) -> str:
        return self.username

    def save(self, *args: Any, **kwargs: Any) -> None:
        fields = kwargs.get("update_fields")
        if fields is not None:
            keys = [key for source, key in self.KEYS.items() if source in fields]
            kwargs["update_fields"] = [*fields, *keys]
        super().save(*args, **kwargs)

    @classmethod
    def normalize_username(cls, username: str) -> str:
        return normalize_username(username)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """As Django's, with the epoch. Epoch 0 gives Django's own value: an upgrade logs nobody out."""
        salted = f"{self.password}{self.admin_epoch or ''}"
        key_salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
        return salted_hmac(key_salt, salted, secret=secret, algorithm="sha256").hexdigest()

    def clean(self) -> None:
        """For forms, which leave the keys' constraints out since they do not show the keys."""
        # A form leaves None where its own field refused what was typed.
        self.username = self.normalize_username(self.username or "")
        self.email = UserManager.normalize_email(self.email or "")
        with suppress(ValueError):  # which the field's own validator reports
            self.phone_number = to_e164(self.phone_number) if self.phone_number else None
        others = User.objects.exclude(pk=self.pk)
        taken = {}
        if others.filter(username_key=fold(self.username)).exists():
            taken["username"] = "Username already registered"
        if others.filter(email_key=fold(self.email)).exists():
            taken["email"] = "Email already registered"
        if taken:
            raise ValidationError(taken)

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(None if raw_password is None else normalize_password(raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        """As Django's, in every form that may have been hashed, each of which takes a hash.

        A wrong password costs as many for an account that does not exist (accounts/backends.py).
        A rehash replaces the hash that was checked, and no other: Django's own would write over a password
        that is changed at the same moment, and a login would take another login's rehash for such a change.
        """
        if raw_password is None:
            return False
        return any(self._check_form(form, raw_password) for form in accepted_forms(raw_password))

    def _check_form(self, form: str, raw_password: str) -> bool:
        is_correct, is_outdated = verify_password(form, self.password)
        is_outdated |= form != normalize_password(raw_password)
        return self._rehash(raw_password) if is_correct and is_outdated else is_correct

    def _rehash(self, raw_password: str) -> bool:
        stored = User.objects.filter(pk=self.pk)
        fresh = make_password(normalize_password(raw_password))
        if stored.filter(password=self.password).update(password=fresh):
            self.password = fresh
            return True
        # Another login was faster with the same, or the password was changed to another.
        self.password = stored.values_list("password", flat=True).first() or ""
        return any(check_password(form, self.password) for form in accepted_forms(raw_password))

    def get_full_name(self) -> str:
        return self.full_name or self.username

    def get_short_name(self) -> str:
        return self.username


class Role(TimeStamped, Group):
    """A group with a description, so that Django's own permissions do the work."""

    description = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Session(TimeStamped):
    """One login on one device. Its tokens are good exactly while it is live."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sessions")
    #: 256 random bits in hex, the `sid` claim; the unique index serves every authenticated request.
    session_token = models.CharField(max_length=64, unique=True, editable=False)
    device_info = models.CharField(max_length=255, null=True)
    ip_address = models.GenericIPAddressField(null=True)
    is_active = models.BooleanField(default=True)
    last_used_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            # the admin's search: who else came from an address
            models.Index(fields=["ip_address"], name="session_address"),
        ]

    def __str__(self) -> str:
        return f"session {self.pk} of user {self.user_id}"

    def next_expiry(self, now: datetime) -> datetime:
        """When the session ends if it is not refreshed after `now`."""
        latest: datetime = self.created_at + settings.SESSION_MAX_AGE
        return min(now + settings.REFRESH_TOKEN_LIFETIME, latest)


class RefreshToken(TimeStamped):
    """A refresh token that was handed out; of the token itself only the SHA-256 is kept."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="refresh_tokens"
    )
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="refresh_tokens")
    token = models.CharField(max_length=64, unique=True, editable=False)
    # the sweep
    expires_at = models.DateTimeField(db_index=True)
    is_used = models.BooleanField(default=False)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(is_used=models.Q(used_at__isnull=False)),
                name="refresh_token_used_at_when_used",
            )
        ]

    def __str__(self) -> str:
        return f"refresh token {self.pk} of session {self.session_id}"


class StreamTicket(models.Model):
    """Opens one event stream of a session; of the ticket itself only the SHA-256 is kept."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="tickets")
    token = models.CharField(max_length=64, unique=True, editable=False)
    # the sweep
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"ticket {self.pk} of session {self.session_id}"


class FailedLogin(models.Model):
    """A wrong password or code for a name, known or not; see accounts/guesses.py."""

    #: None where nobody has the name. It is not kept then: it may be a password in the wrong field.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="failed_logins"
    )
    name_digest = models.CharField(max_length=64, editable=False)
    #: What is counted by, as aimessage/server/clients.py has it: an IPv4 address or an IPv6 /64.
    client = models.CharField(max_length=43, blank=True)
    ip_address = models.GenericIPAddressField("address", null=True)
    user_agent = models.CharField(max_length=255, blank=True)
    path_info = models.CharField("path", max_length=255)
    attempt_time = models.DateTimeField("time", default=timezone.now)
    #: The one with which a lockout began.
    locked_out = models.BooleanField(default=False)
    #: Whether the audit trail has that lockout.
    is_noted = models.BooleanField(default=False, editable=False)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            # the failures of one name from one address, or from all
            models.Index(fields=["name_digest", "client", "attempt_time"], name="failed_login_pair"),
            # the admin's search
            models.Index(fields=["ip_address"], name="failed_login_address"),
        ]

    def __str__(self) -> str:
        return f"{self.username} from {self.ip_address}"

    @property
    def username(self) -> str:
        return self.user.username_key if self.user else "(unknown name)"


class SecondFactor(models.Model):
    """TOTP (RFC 6238) of one user, on once it is confirmed."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="second_factor"
    )
    #: 160 bits in base32, sealed (aimessage/seals.py).
    secret = models.TextField(editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True)
    #: The time step of the last code that was accepted; no code of this step or an earlier one works.
    last_step = models.BigIntegerField(default=-1, db_default=-1)
    #: Wrong codes in a row.
    failures = models.PositiveIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return f"second factor of user {self.user_id}"


class RecoveryCode(models.Model):
    """Stands in for one TOTP code, for whoever lost the phone."""

    factor = models.ForeignKey(SecondFactor, on_delete=models.CASCADE, related_name="recovery_codes")
    #: HMAC-SHA-256 under the factor's secret. That is sealed, so a dump cannot be searched for codes.
    digest = models.CharField(max_length=64, editable=False)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # also finds a code that is tried
            models.UniqueConstraint(fields=["factor", "digest"], name="recovery_code_unique"),
        ]

    def __str__(self) -> str:
        return f"recovery code {self.pk}"


class WrongCode(models.Model):
    """A wrong code for a user's second factor; see accounts/services/codes.py."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="wrong_codes", db_index=False
    )
    created_at = models.DateTimeField(default=timezone.now)
    #: Whether the audit trail has the lockout that this one began.
    is_noted = models.BooleanField(default=False, editable=False)

    class Meta:
        indexes = [
            # the latest of one user
            models.Index(fields=["user", "created_at"], name="wrong_code_latest"),
        ]

    def __str__(self) -> str:
        return f"wrong code {self.pk} of user {self.user_id}"


class PendingLogin(models.Model):
    """A login with the right password that still lacks its second factor."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="pending_logins"
    )
    #: SHA-256 of the login token.
    token = models.CharField(max_length=64, unique=True, editable=False)
    #: SHA-256 of the stored password hash: a new password ends the login.
    password = models.CharField(max_length=64, editable=False)
    # the sweep
    expires_at = models.DateTimeField(db_index=True)
    failures = models.PositiveSmallIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return f"pending login {self.pk} of user {self.user_id}"


class PersonalToken(TimeStamped):
    """A token for a program of its user's; of the token itself only the SHA-256 is kept."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="personal_tokens"
    )
    name = models.CharField(max_length=100)
    #: Every request with a personal token looks it up.
    token = models.CharField(max_length=64, unique=True, editable=False)
    #: How the token begins, for its owner to tell it from others.
    prefix = models.CharField(max_length=SHOWN_LENGTH, editable=False)
    scopes = models.JSONField()
    #: None for never.
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = PersonalTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"personal token {self.pk} of user {self.user_id}"


class Invitation(TimeStamped):
    """Lets somebody register; of its code only the SHA-256 is kept."""

    MAX_USES = 10_000

    code_hash = models.CharField(max_length=64, unique=True, editable=False)
    email = models.EmailField(
        "e-mail address",
        max_length=255,
        null=True,
        blank=True,
        help_text="Whoever registers with this address, and nobody else, may use it. It counts as verified.",
    )
    email_key = FoldedField(source="email")
    note = models.CharField(max_length=255, blank=True, help_text="Only superusers see this.")
    role = models.ForeignKey(
        Role,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        help_text="What everybody who registers with it will hold.",
    )
    max_uses = models.PositiveSmallIntegerField(
        "uses", default=1, validators=[MinValueValidator(1), MaxValueValidator(MAX_USES)]
    )
    uses = models.PositiveSmallIntegerField("used", default=0, editable=False)
    expires_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    withdrawn_at = models.DateTimeField(null=True, editable=False)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=models.Q(uses__lte=models.F("max_uses")), name="invitation_not_overused"
            ),
        ]

    def __str__(self) -> str:
        return f"invitation {self.pk}"


class PendingDeletion(TimeStamped):
    """An account whose owner asked for its deletion. It is disabled, and stays as it was until then."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="pending_deletion"
    )
    deletion_at = models.DateTimeField(db_index=True)
    #: Whether what the user sent goes as well, for those who received it too.
    erases = models.BooleanField(default=False)
    #: SHA-256 of the token in the mail that undoes it.
    token = models.CharField(max_length=64, unique=True, null=True, editable=False)

    class Meta:
        default_permissions = []

    def __str__(self) -> str:
        return f"deletion of user {self.user_id}"


class ExternalIdentity(TimeStamped):
    """A user of the operator's own backend (AI_MESSAGE_ISSUER), and the account that is theirs here."""

    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="external_identities"
    )

    class Meta:
        default_permissions = []
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="external_identity_once"),
            models.UniqueConstraint(fields=["issuer", "user"], name="external_identity_once_per_user"),
        ]

    def __str__(self) -> str:
        return f"user {self.user_id} of {self.issuer}"


class UsedAssertion(models.Model):
    """An assertion that was exchanged, so that it works no second time. Kept until it has expired anyway."""

    #: SHA-256 of issuer and `jti`.
    digest = models.CharField(max_length=64, primary_key=True)
    # the sweep
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = []

    def __str__(self) -> str:
        return self.digest


class MailSecret(models.Model):
    """What makes a link or code of a mail good, once. Only digests are kept, that of the code with a key."""

    class Purpose(models.TextChoices):
        RESET = "reset"
        VERIFY = "verify"
        CHANGE = "change"
        UNDELETE = "undelete"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mail_secrets")
    purpose = models.CharField(max_length=10, choices=Purpose)
    #: The folded address that it was mailed to.
    address_key = models.TextField()
    token = models.CharField(max_length=64, unique=True, editable=False)
    code = models.CharField(max_length=64, editable=False)
    #: How many codes were tried.
    tries = models.PositiveSmallIntegerField(default=0)
    # the sweep
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            # only the newest of its kind
            models.UniqueConstraint(fields=["user", "purpose"], name="mail_secret_unique_user_purpose")
        ]
        indexes = [
            # a code that is shown with an address
            models.Index(fields=["address_key", "purpose"], name="mail_secret_address")
        ]

    def __str__(self) -> str:
        return f"{self.purpose} of user {self.user_id}"
