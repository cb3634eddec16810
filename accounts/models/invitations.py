from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.models.roles import Role
from accounts.querysets import InvitationQuerySet
from aimessage.db.fields import FoldedField
from aimessage.models import TimeStamped


class Invitation(TimeStamped):
    """Lets somebody register. Only the SHA-256 of the code is stored."""

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
