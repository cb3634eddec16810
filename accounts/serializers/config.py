from rest_framework import serializers

from aimessage.api.schema.answers import example


@example(
    {
        "registration": "open",
        "email_verification": "optional",
        "mail": True,
        "second_factors": ["totp"],
        "exchange": False,
        "deletion_days": 14,
    }
)
class ConfigSerializer(serializers.Serializer[None]):
    """What a client needs to know before anybody logs in."""

    registration = serializers.ChoiceField(["open", "invite", "closed"])
    email_verification = serializers.ChoiceField(["off", "optional", "required"])
    mail = serializers.BooleanField(help_text="Whether this server sends mails.")
    second_factors = serializers.ListField(child=serializers.ChoiceField(["totp"]))
    exchange = serializers.BooleanField(help_text="Whether `POST /auth/exchange` opens sessions.")
    deletion_days = serializers.IntegerField(
        min_value=0, help_text="For how long a deletion of one's account can be undone."
    )
