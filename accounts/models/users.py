from collections.abc import Iterable, Sequence
from contextlib import suppress

from django.contrib.auth.hashers import check_password, make_password, verify_password
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.crypto import salted_hmac

from accounts.names import USERNAME_MAX_LENGTH, normalize_username, validate_username
from accounts.passwords import accepted_forms, normalize_password
from accounts.phones import to_e164
from accounts.querysets import UserManager
from aimessage.db.fields import FoldedField, FoldedWordsField
from aimessage.db.text import fold, without_controls
from aimessage.models import TimeStamped

#: The domain of placeholder addresses, for accounts without one. Nobody can receive mail there (RFC 2606).
NO_ADDRESS = "users.invalid"


def validate_phone_number(value: str) -> None:
    try:
        to_e164(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class FullNameField(models.CharField):
    """Removes control characters and bidirectional controls when it is saved."""

    def deconstruct(self) -> tuple[str, str, Sequence[object], dict[str, object]]:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs

    def pre_save(self, model_instance: models.Model, add: bool) -> object:
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
        #: A sender of SMS or WhatsApp messages.
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
    # Makes usernames unique regardless of case; serves login and directory.
    username_key = FoldedField(source="username")
    email = models.EmailField("e-mail address", max_length=255)
    email_key = FoldedField(source="email")
    email_verified_at = models.DateTimeField(null=True, editable=False)
    full_name = FullNameField(max_length=255, null=True, blank=True)
    # Serves the directory's search and, with an index that only PostgreSQL has, the admin's search.
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
    #: Only persons log in, work in the admin or are superusers. `db_default`: the previous release inserts
    #: users without this column.
    kind = models.CharField(
        max_length=10, choices=Kind, default=Kind.PERSON, db_default=Kind.PERSON.value, editable=False
    )
    #: Whether the user gets a mail about a login from an unknown device and network.
    notify_logins = models.BooleanField(default=True, db_default=True)

    #: Replaces `email` once it is verified.
    email_pending = models.CharField(max_length=255, null=True, editable=False)

    #: Part of the session auth hash: adding 1 ends all admin sessions of the user for good.
    admin_epoch = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    objects = UserManager()  # type: ignore[misc]

    #: Field → the column with its folded form.
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

    def save(
        self,
        *,
        force_insert: bool | tuple[models.base.ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        if update_fields is not None:
            fields = list(update_fields)
            update_fields = [*fields, *(key for source, key in self.KEYS.items() if source in fields)]
        super().save(
            force_insert=force_insert, force_update=force_update, using=using, update_fields=update_fields
        )

    @classmethod
    def normalize_username(cls, username: str) -> str:
        return normalize_username(username)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Django's, with the epoch. Epoch 0 gives Django's own value, so an upgrade logs nobody out.
        salted = f"{self.password}{self.admin_epoch or ''}"
        key_salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
        return salted_hmac(key_salt, salted, secret=secret, algorithm="sha256").hexdigest()

    def clean(self) -> None:
        # Forms skip the constraints on the folded columns, which they do not show, so they are checked here.
        # A field is None if the form refused it.
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
        """Like Django's, but tries every accepted form of the password, at the cost of one hash each.

        A rehash replaces only the hash that was checked. Django's would overwrite a password that is changed
        in parallel, and a login would mistake another login's rehash for such a change.
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
        # Another login has rehashed it, or the password was changed.
        self.password = stored.values_list("password", flat=True).first() or ""
        return any(check_password(form, self.password) for form in accepted_forms(raw_password))

    def get_full_name(self) -> str:
        return self.full_name or self.username

    def get_short_name(self) -> str:
        return self.username
