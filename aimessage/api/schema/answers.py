from collections.abc import Callable, Mapping
from typing import TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema_serializer
from rest_framework import serializers

ClassT = TypeVar("ClassT", bound=type)


def example(value: Mapping[str, object], **where: bool) -> Callable[[ClassT], ClassT]:
    decorate: Callable[[ClassT], ClassT] = extend_schema_serializer(
        examples=[OpenApiExample("Example", value=value, **where)]
    )
    return decorate


class AnswerSerializer(serializers.Serializer[None]):
    """One sentence that says what was done."""

    message = serializers.CharField()


def answer(message: str) -> OpenApiResponse:
    return OpenApiResponse(AnswerSerializer, examples=[OpenApiExample("Answer", value={"message": message})])
