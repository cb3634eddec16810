from rest_framework import serializers

from aimessage.api.schema.answers import example
from aimessage.db.fields import StringField


@example({"assertion": "eyJhbGciOiJIUzI1NiIs…"})
class ExchangeSerializer(serializers.Serializer[None]):
    assertion = StringField(
        trim_whitespace=False,
        allow_blank=True,
        help_text="A JWT that the operator's own backend signed, of at most 8 KiB; it works once.",
    )
