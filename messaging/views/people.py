from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.querysets import UserQuerySet
from accounts.serializers import answer
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
from aimessage.api.shapes import shape_of
from aimessage.api.viewsets import ApiViewSet, parse_id
from aimessage.db.fields import fold
from messaging.models import Block
from messaging.querysets import BlockQuerySet, reachable_by
from messaging.serializers import BlockSerializer, PersonSerializer
from messaging.services.blocks import (
    BLOCK_NOT_FOUND,
    BLOCK_YOURSELF,
    USER_NOT_FOUND,
    block_user,
    unblock_user,
)

#: Characters; one letter would list half of everybody.
SEARCH_MIN_LENGTH = 2
SEARCH_MAX_LENGTH = 255


PEOPLE = shape_of(PersonSerializer)


class NamePagination(BasePagination):
    """Pages of rows of PEOPLE by username; `after` is a username, and there is no way back."""

    def paginate_queryset(  # type: ignore[override]
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any]:
        limit = read_limit(request)
        start = read_number(request, "skip", low=0, high=MAX_SKIP) or 0
        after = request.query_params.get("after")
        if start and after is not None:
            raise ValidationError(SKIP_WITH_CURSOR)
        people = queryset.order_by("username_key")
        if after is not None:
            people = people.filter(username_key__gt=fold(after))
        rows = list(people[start : start + limit + 1])
        page = rows[:limit]
        username = PEOPLE.columns.index("username")
        cursors = {"next": ("after", page[-1][username])} if len(rows) > limit else {}
        self.headers = link_header(request, cursors)
        return page

    def get_paginated_response(self, data: list[Any]) -> Response:
        return Response(data, headers=self.headers)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return schema

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        skip = {"type": "integer", "minimum": 0, "maximum": MAX_SKIP, "format": "int64"}
        after = "The names after this username."
        return [
            limit_parameter(),
            query_parameter("skip", f"Skip so many names. {SKIP_WITH_CURSOR}", skip),
            query_parameter("after", after, {"type": "string"}),
        ]


class DirectoryViewSet(ApiViewSet):
    serializer_class = PersonSerializer
    pagination_class = NamePagination

    def get_queryset(self) -> UserQuerySet:
        given = self.request.query_params.get("search", "")
        prefix = " ".join(given.split())
        if len(prefix) < SEARCH_MIN_LENGTH or len(given) > SEARCH_MAX_LENGTH:
            limits = f"{SEARCH_MIN_LENGTH} to {SEARCH_MAX_LENGTH}"
            raise ValidationError({"search": [f"Search for {limits} characters."]})
        return reachable_by(self.user).named_like(prefix)

    @extend_schema(
        tags=["people"],
        operation_id="search_directory",
        summary="People one can write to",
        parameters=[
            OpenApiParameter(
                "search",
                required=True,
                description="The start of a username, or of a word of a full name.",
                type={
                    "type": "string",
                    "minLength": SEARCH_MIN_LENGTH,
                    "maxLength": SEARCH_MAX_LENGTH,
                },
            )
        ],
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        rows = self.paginate_queryset(self.get_queryset().values_list(*PEOPLE.columns)) or []
        return self.get_paginated_response(PEOPLE.show(rows))


BLOCKS = Listing(BlockSerializer, Block.objects.by)


class BlockViewSet(ApiViewSet):
    serializer_class = BlockSerializer
    newest_first = True
    cursor_description = "the number of a block, as `Link` has it"
    lookup_url_kwarg = "user_id"
    not_found = BLOCK_NOT_FOUND

    def get_queryset(self) -> BlockQuerySet:
        return Block.objects.by(self.user)

    @extend_schema(tags=["people"], operation_id="list_blocks", summary="Whom one has blocked")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.answer_list(BLOCKS, self.user)

    @extend_schema(
        tags=["people"],
        operation_id="block_user",
        summary="Block a user: neither can write to the other",
        responses={
            201: BlockSerializer,
            200: BlockSerializer,
            400: BLOCK_YOURSELF,
            404: USER_NOT_FOUND,
        },
    )
    def create(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user_id = serializer.validated_data["blocked_id"]
        block, is_new = block_user(self.user, user_id=user_id)
        return Response(self.get_serializer(block).data, status=201 if is_new else 200)

    @extend_schema(
        tags=["people"],
        operation_id="unblock_user",
        summary="Lift a block",
        responses={200: answer("User unblocked successfully")},
    )
    def destroy(self, request: Request, user_id: str) -> Response:
        unblock_user(self.user, user_id=parse_id(user_id, missing=self.not_found))
        return Response({"message": "User unblocked successfully"})
