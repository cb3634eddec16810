from rest_framework import serializers

from accounts.models import Session
from aimessage.api.schema.answers import example
from aimessage.api.serializers import RowModelSerializer


@example(
    {
        "id": 7,
        "user_id": 1,
        "device_info": "Mozilla/5.0 (X11; Linux x86_64)",
        "ip_address": "192.0.2.7",
        "created_at": "2026-01-02T03:04:05.678901Z",
        "last_used_at": "2026-01-02T03:04:05.678901Z",
        "expires_at": "2026-01-09T03:04:05.678901Z",
        "is_active": True,
        "is_current": True,
    }
)
class SessionSerializer(RowModelSerializer):
    user_id = serializers.IntegerField(read_only=True)
    is_current = serializers.BooleanField(read_only=True)

    class Meta:
        model = Session
        fields = [
            "id",
            "user_id",
            "device_info",
            "ip_address",
            "created_at",
            "last_used_at",
            "expires_at",
            "is_active",
            "is_current",
        ]
        read_only_fields = fields


@example({"ticket": "q7J0u2cXw1…", "expires_in": 60})
class TicketSerializer(serializers.Serializer[None]):
    ticket = serializers.CharField()
    expires_in = serializers.IntegerField()
