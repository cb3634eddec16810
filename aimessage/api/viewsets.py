"""The base of the API's viewsets: strict ids, one 404, bodies that are always read."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models import Model
from rest_framework.mixins import UpdateModelMixin
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet

from aimessage.api.lists.filters import ListFilterSet
from aimessage.api.lists.listing import Listing
from aimessage.api.lists.pages import KeysetPagination
from aimessage.api.problems import NOT_FOUND, NotFound
from aimessage.api.scopes import Scope
from aimessage.api.throttles import SearchThrottle
from aimessage.db.ids import is_id

if TYPE_CHECKING:  # at run time nothing here knows of accounts
    from accounts.models import Session, User

ModelT = TypeVar("ModelT", bound=Model)

WITH_BODY = {"POST", "PUT", "PATCH"}
#: Without OPTIONS: CORS uses it, and its middleware answers.
HTTP_METHODS = ["get", "head", "post", "put", "patch", "delete"]


def parse_id(raw: str, *, missing: str) -> int:
    """The id in a path; raises NotFound(missing) if `raw` cannot be one."""
    if not is_id(raw):
        raise NotFound(missing)
    return int(raw)


class ApiViewSet(GenericViewSet[ModelT]):
    """Looks objects up by id in `get_queryset()`, which holds only what the caller may see."""

    http_method_names = HTTP_METHODS
    #: By action, the scope that a personal token needs; the other actions need a session.
    scopes: Mapping[str, Scope] = {}
    #: The answer for an id that names nothing the caller may see.
    not_found: str = NOT_FOUND
    filterset_class: type[ListFilterSet] | None = None
    #: The actions that take `search`.
    searching: frozenset[str] = frozenset()
    #: What the cursors of a list are, for the API's description.
    cursor_description = "the id of an item"
    newest_first = False

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in WITH_BODY and hasattr(self, request.method.lower()):
            request.data  # noqa: B018  a body that cannot be read is refused, also where none is used

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        # Almost every client sends one of these, for which no header and no query need be parsed.
        renderer = self.get_renderers()[0]
        if request.META.get("HTTP_ACCEPT", "*/*") in {"*/*", renderer.media_type}:
            return renderer, str(renderer.media_type)
        return super().perform_content_negotiation(request, force)

    def get_throttles(self) -> list[BaseThrottle]:
        throttles = super().get_throttles()
        return [*throttles, SearchThrottle()] if self.action in self.searching else throttles

    @property
    def user(self) -> "User":
        # The permission has refused requests without a user.
        user: User = self.request.user  # type: ignore[assignment]
        return user

    @property
    def session(self) -> "Session":
        """Only for actions without a scope: with a personal token, `request.auth` is no session."""
        session: Session = self.request.auth  # type: ignore[assignment]
        return session

    def answer_list(
        self, listing: Listing, *arguments: object, alone: Mapping[str, Listing] | None = None
    ) -> Response:
        """Answers with the page of `listing` that the query asks for, filtered.

        `alone` has, by filter, a list of the same items that is faster if this is the only filter.
        """
        filters = self.filterset_class.read(self.request) if self.filterset_class else None
        if alone and filters and len(filters.used) == 1:
            listing = alone.get(filters.used[0], listing)
        paginator = KeysetPagination()
        rows = paginator.read_page(
            listing,
            arguments,
            request=self.request,
            filters=filters,
            newest_first=self.newest_first,
        )
        return paginator.get_paginated_response(listing.serializer.show_rows(rows))

    def answer_item(self, listing: Listing, *arguments: object, pk: str) -> Response:
        """Answers with one item of `listing`; raises NotFound."""
        rows = listing.find(arguments, parse_id(pk, missing=self.not_found))
        if not rows:
            raise NotFound(self.not_found)
        return Response(listing.serializer.show_rows(rows)[0])

    def read(self, request: Request) -> dict[str, Any]:
        """The body, validated by the action's serializer; raises ValidationError."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        validated: dict[str, Any] = serializer.validated_data
        return validated

    def get_object(self) -> ModelT:
        pk = parse_id(self.kwargs["pk"], missing=self.not_found)
        instance: ModelT | None = self.get_queryset().filter(pk=pk).first()
        if instance is None:
            raise NotFound(self.not_found)
        self.check_object_permissions(self.request, instance)
        return instance


class LenientUpdateMixin(UpdateModelMixin):
    """PUT changes only the fields that are sent, like PATCH, as the old backend's PUT did."""

    def update(self, request: Request, *args: object, **kwargs: object) -> Response:
        kwargs["partial"] = True
        return super().update(request, *args, **kwargs)
