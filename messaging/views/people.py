import re

import regex
from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from accounts.querysets import UserQuerySet
from aimessage.api.lists.listing import Listing
from aimessage.api.lists.pages import (
    MAX_SKIP,
    SKIP_WITH_CURSOR,
    limit_parameter,
    link_header,
    query_parameter,
    read_limit,
    read_number,
)
from aimessage.api.scopes import Scope
from aimessage.api.throttles import PeopleThrottle
from aimessage.api.viewsets import ApiViewSet, parse_id
from aimessage.db.compiled import Row
from aimessage.db.ids import ID
from aimessage.db.text import fold
from messaging.aliases import written_user_id
from messaging.models import Block
from messaging.querysets import BlockQuerySet
from messaging.selectors import known_to, reachable_by
from messaging.serializers import BlockSerializer, PersonSerializer
from messaging.services.blocks import BLOCK_NOT_FOUND, block_user, unblock_user

#: Characters. A search for one letter of an alphabet would list far too many.
SEARCH_MIN_LENGTH = 1
ALPHABET_MIN_LENGTH = 2
SEARCH_MAX_LENGTH = 255
#: Scripts in which one character is a word or a syllable.
_NO_ALPHABET = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Yi}]")

#: People that one request may ask for.
MAX_PEOPLE = 100
_INTEGER = re.compile(r"-?[0-9]+")


class NamePagination(BasePagination):
    """Pages of people by username; `after` is a username, and no links lead back."""

    def read_page(self, people: QuerySet[User, Row], request: Request) -> list[Row]:
        limit = read_limit(request)
        start = read_number(request, "skip", low=0, high=MAX_SKIP) or 0
        after = request.query_params.get("after")
        if start and after is not None:
            raise ValidationError(SKIP_WITH_CURSOR)
        people = people.order_by("username_key")
        if after is not None:
            people = people.filter(username_key__gt=fold(after))
        rows = list(people[start : start + limit + 1])
        page = rows[:limit]
        username = PersonSerializer.columns().index("username")
        cursors = {"next": ("after", page[-1][username])} if len(rows) > limit else {}
        self.headers = link_header(request, cursors)
        return page

    def get_paginated_response(self, data: object) -> Response:
        return Response(data, headers=self.headers)

    def get_paginated_response_schema(self, schema: dict[str, object]) -> dict[str, object]:
        return schema

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, object]]:
        skip = {"type": "integer", "minimum": 0, "maximum": MAX_SKIP, "format": "int64"}
        after = "The names after this username."
        return [
            limit_parameter(),
            query_parameter("skip", f"Skip so many names. {SKIP_WITH_CURSOR}", skip),
            query_parameter("after", after, {"type": "string"}),
        ]


def read_search(request: Request) -> str:
    """The folded prefix to search for; raises ValidationError if it is too short or too long."""
    given = request.query_params.get("search", "")
    if len(given) <= SEARCH_MAX_LENGTH:
        prefix = " ".join(fold(given).split())
        if len(prefix) >= ALPHABET_MIN_LENGTH or _NO_ALPHABET.fullmatch(prefix):
            return prefix
    limits = f"{ALPHABET_MIN_LENGTH} to {SEARCH_MAX_LENGTH}"
    raise ValidationError({"search": [f"Search for {limits} characters."]})


def read_ids(request: Request) -> list[int]:
    """The ids of the query, without those that no row can have; raises ValidationError."""
    given = ",".join(request.query_params.getlist("ids")).split(",", MAX_PEOPLE)
    if len(given) > MAX_PEOPLE or not all(_INTEGER.fullmatch(part) for part in given):
        raise ValidationError({"ids": [f"Name 1 to {MAX_PEOPLE} whole numbers, separated by commas."]})
    return [int(part) for part in given if ID.fullmatch(part) and int(part) < 2**63]


def parse_user_id(raw: str, *, missing: str) -> int:
    """The id in a path, which may be an alias; raises NotFound(missing) if it cannot be one."""
    real = written_user_id(raw)
    return parse_id(raw, missing=missing) if real is None else real


class PeopleViewSet(ApiViewSet[User]):
    scopes = {"list": Scope.PEOPLE_READ}
    throttle_classes = [PeopleThrottle]
    serializer_class = PersonSerializer
    pagination_class = None

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        ids = read_ids(request)
        people = known_to(self.user, ids) if ids else User.objects.none()
        return Response(
            PersonSerializer.show_rows(people.order_by("pk").values_list(*PersonSerializer.columns()))
        )


class DirectoryViewSet(ApiViewSet[User]):
    scopes = {"list": Scope.PEOPLE_READ}
    serializer_class = PersonSerializer
    pagination_class = NamePagination
    searching = frozenset({"list"})
    throttle_classes = [PeopleThrottle]

    def get_queryset(self) -> UserQuerySet:
        return reachable_by(self.user).named_like(read_search(self.request))

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        pages = NamePagination()
        rows = pages.read_page(self.get_queryset().values_list(*PersonSerializer.columns()), request)
        return pages.get_paginated_response(PersonSerializer.show_rows(rows))


BLOCKS = Listing(BlockSerializer, Block.objects.by)
UNBLOCKED = "User unblocked successfully"


class BlockViewSet(ApiViewSet[Block]):
    scopes = {
        "list": Scope.PEOPLE_READ,
        "create": Scope.PEOPLE_WRITE,
        "destroy": Scope.PEOPLE_WRITE,
    }
    serializer_class = BlockSerializer
    throttle_classes = [PeopleThrottle]
    newest_first = True
    cursor_description = "the number of a block, as `Link` has it"
    lookup_url_kwarg = "user_id"
    not_found = BLOCK_NOT_FOUND

    def get_queryset(self) -> BlockQuerySet:
        return Block.objects.by(self.user)

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        return self.answer_list(BLOCKS, self.user)

    def create(self, request: Request) -> Response:
        block, is_new = block_user(self.user, user_id=self.read(request)["blocked_id"])
        return Response(self.get_serializer(block).data, status=201 if is_new else 200)

    def destroy(self, request: Request, user_id: str) -> Response:
        unblock_user(self.user, user_id=parse_user_id(user_id, missing=self.not_found))
        return Response({"message": UNBLOCKED})
