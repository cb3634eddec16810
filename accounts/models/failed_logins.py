from django.conf import settings
from django.db import models
from django.utils import timezone


class FailedLogin(models.Model):
    """A wrong password or code for a name, known or not; see accounts/guesses.py."""

    #: Null if no user has the name. Then only its digest is stored: it may be a password in the wrong field.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="failed_logins"
    )
    name_digest = models.CharField(max_length=64, editable=False)
    #: The network that failures count for (aimessage/server/clients.py): an IPv4 address or an IPv6 /64.
    client = models.CharField(max_length=43, blank=True)
    ip_address = models.GenericIPAddressField("address", null=True)
    user_agent = models.CharField(max_length=255, blank=True)
    path_info = models.CharField("path", max_length=255)
    attempt_time = models.DateTimeField("time", default=timezone.now)
    #: A lockout began with this failure.
    locked_out = models.BooleanField(default=False)
    #: The audit trail has an entry for that lockout.
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
