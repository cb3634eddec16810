from rest_framework import serializers

from accounts.models import User
from aimessage.api.schema.answers import example
from aimessage.db.fields import FlagField


@example({"notify_logins": True})
class PreferencesSerializer(serializers.ModelSerializer[User]):
    notify_logins = FlagField(
        help_text="Whether a mail tells of a login from a device and network that are new."
    )

    class Meta:
        model = User
        fields = ["notify_logins"]
