from django.conf import settings
from django.db import models
from django.utils import timezone


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
    """Works once in place of a TOTP code, for somebody who lost the phone."""

    #: How many a user gets at a time.
    COUNT = 10

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
