from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema_serializer
from rest_framework import serializers


def example(value: Mapping[str, object], **where: bool) -> Any:
    """Decorates a serializer with the example that the API's description shows for it."""
    return extend_schema_serializer(examples=[OpenApiExample("Example", value=value, **where)])


class AnswerSerializer(serializers.Serializer[None]):
    """One sentence that says what was done."""

    message = serializers.CharField()


def answer(message: str) -> OpenApiResponse:
    """That sentence, for the API's description."""
    return OpenApiResponse(AnswerSerializer, examples=[OpenApiExample("Answer", value={"message": message})])
