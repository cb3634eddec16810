"""Query parameters of the message lists."""

import re
from datetime import UTC, datetime

from django import forms
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field

from aimessage.api.lists.filters import ListFilterSet
from messaging.aliases import real_conversation_id, written_user_id
from messaging.lookups import fold_case, pattern_of
from messaging.models import Message
from messaging.querysets import MessageQuerySet
from messaging.selectors import in_conversation

SEARCH_MAX_LENGTH = 200
SEARCH_MAX_WORDS = 8
#: Date, time and offset in ISO 8601; as RFC 3339 allows, T may be a space, and letters may be small.
TIME = re.compile(r"([0-9W-]+)(?:[Tt ]([0-9:.,]+)([Zz]|[+ -][0-9:]+)?)?")
TRUE_WORDS, FALSE_WORDS = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


class FlagField(forms.Field):
    """`true` or `false`, or another word that the old backend took; anything else is an error."""

    default_error_messages = {"invalid": "Write true or false."}

    def to_python(self, value: object) -> bool | None:
        if value in self.empty_values:
            return None
        word = str(value).lower()
        if word not in TRUE_WORDS | FALSE_WORDS:
            raise forms.ValidationError(self.default_error_messages["invalid"], code="invalid")
        return word in TRUE_WORDS


class FlagFilter(filters.Filter):
    field_class = FlagField


class UserIdField(forms.Field):
    """A user's id or alias. An id too large for the database becomes 0, which nobody has."""

    def to_python(self, value: str | None) -> int | None:
        if not value:
            return None
        if (real := written_user_id(value)) is not None:
            return real
        if not value.isascii() or not value.isdigit():
            raise forms.ValidationError("A whole number is required.", code="invalid")
        return int(value) if len(value) < 19 else 0


class UserIdFilter(filters.Filter):
    field_class = UserIdField


class TimeField(forms.Field):
    """A time in ISO 8601; without an offset it is UTC."""

    def to_python(self, value: str | None) -> datetime | None:
        if not value:
            return None
        match = TIME.fullmatch(value)
        try:
            if match is None:
                raise ValueError
            date, clock, offset = match.groups()
            # A + that the client did not encode arrives as a space.
            offset = (offset or "").upper().replace(" ", "+")
            time = datetime.fromisoformat(f"{date}T{clock}{offset}" if clock else date)
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            message = "A time in ISO 8601 is required, as 2026-01-02T03:04:05Z."
            raise forms.ValidationError(message, code="invalid") from error


class TimeFilter(filters.Filter):
    field_class = TimeField


class WordsField(forms.CharField):
    """The different words as patterns of LIKE, the longest first, since fewest texts contain those."""

    default_error_messages = {"max_words": f"Search for at most {SEARCH_MAX_WORDS} different words."}

    def clean(self, value: object) -> tuple[str, ...]:
        words = {fold_case(word): word for word in super().clean(value).split()}
        if len(words) > SEARCH_MAX_WORDS:
            raise forms.ValidationError(self.error_messages["max_words"], code="max_words")
        return tuple(pattern_of(word) for word in sorted(words.values(), key=len, reverse=True))


class WordsFilter(filters.CharFilter):
    field_class = WordsField


class MessageFilter(ListFilterSet):
    unread_only = FlagFilter(method="filter_unread", label="Received and unread only.")
    conversation_id = filters.CharFilter(method="filter_conversation", label="Of this conversation.")
    with_user = extend_schema_field(
        {
            "type": "integer",
            "format": "int64",
            "minimum": -1,
            "description": "Sent to or received from this user; -1 is the assistant.",
        }
    )(UserIdFilter(method="filter_with_user"))
    created_after = TimeFilter(
        field_name="created_at", lookup_expr="gt", label="Later than this; without offset UTC."
    )
    created_before = TimeFilter(
        field_name="created_at", lookup_expr="lt", label="Earlier than this; without offset UTC."
    )
    search = extend_schema_field(
        {
            "type": "string",
            "maxLength": SEARCH_MAX_LENGTH,
            "description": (
                "Every word occurs in the content, without regard to case or order."
                f" At most {SEARCH_MAX_WORDS} different words."
            ),
        }
    )(WordsFilter(method="filter_search", max_length=SEARCH_MAX_LENGTH, strip=False))

    class Meta:
        model = Message
        fields: list[str] = []

    def filter_unread(self, queryset: MessageQuerySet, name: str, value: bool) -> MessageQuerySet:
        return queryset.unread_by(self.user) if value else queryset

    def filter_conversation(self, queryset: MessageQuerySet, name: str, value: str) -> MessageQuerySet:
        return in_conversation(queryset, self.user, real_conversation_id(value, self.user))

    def filter_with_user(self, queryset: MessageQuerySet, name: str, value: int) -> MessageQuerySet:
        return queryset.between(self.user, value)

    def filter_search(self, queryset: MessageQuerySet, name: str, value: tuple[str, ...]) -> MessageQuerySet:
        return queryset.matching(value)
