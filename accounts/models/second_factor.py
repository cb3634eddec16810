from django.conf import settings
from django.db import models
from django.utils import timezone


class SecondFactor(models.Model):
    """One user's TOTP secret (RFC 6238). Two-factor login is on once `confirmed_at` is set."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="second_factor"
    )
    #: 160 bits in base32, sealed (aimessage/seals.py).
    secret = models.TextField(editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True)
    #: The time step of the last accepted code. Codes of this and earlier steps no longer work.
    last_step = models.BigIntegerField(default=-1, db_default=-1)
    #: Wrong codes in a row.
    failures = models.PositiveIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return f"second factor of user {self.user_id}"


class RecoveryCode(models.Model):
    """Replaces one TOTP code, for users who lost their phone."""

    #: Codes that a user has at a time.
    COUNT = 10

    factor = models.ForeignKey(SecondFactor, on_delete=models.CASCADE, related_name="recovery_codes")
    #: HMAC-SHA-256 with the factor's secret. That is sealed, so nobody can try codes against a database dump.
    digest = models.CharField(max_length=64, editable=False)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # also serves the lookup of a code
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
    #: The audit trail has an entry for the lockout that began with this code.
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
