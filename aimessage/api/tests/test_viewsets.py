"""What every viewset of the API shares."""

from typing import Any

import pytest
from rest_framework.permissions import BasePermission
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.test import APIRequestFactory, force_authenticate

from accounts.models import User
from aimessage.api.problems import NotFound
from aimessage.api.viewsets import HTTP_METHODS, ApiViewSet, LenientUpdateMixin, parse_id
from messaging.views.messages import MessageViewSet

pytestmark = pytest.mark.django_db


class NotRoot(BasePermission):
    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return request.method == "PUT" and obj.username != "root"


class NameSerializer(ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("username", "email")


class People(LenientUpdateMixin, ApiViewSet):
    """Some viewset, which leaves everything as it comes."""

    queryset = User.objects.all()
    serializer_class = NameSerializer
    permission_classes = (NotRoot,)


def call(method: str, action: str, user: User, body: Any = None, **path: Any) -> Any:
    request = getattr(APIRequestFactory(), method)("/people", body, format="json")
    force_authenticate(request, user)
    return People.as_view({method: action})(request, **path)


@pytest.mark.parametrize("raw", ["0", "-1", "01", "1.0", "", "abc", "9223372036854775808", "9" * 20])
def test_what_could_be_no_id_is_not_found(raw: str) -> None:
    with pytest.raises(NotFound) as error:
        parse_id(raw, missing="No such thing")
    assert error.value.detail == "No such thing"


@pytest.mark.parametrize("number", [1, 127, 2**62, 2**63 - 1])
def test_any_other_is_taken(number: int) -> None:
    assert parse_id(str(number), missing="No such thing") == number


def test_what_is_offered_unless_a_viewset_says_otherwise() -> None:
    assert HTTP_METHODS == ApiViewSet.http_method_names == ["get", "head", "post", "put", "patch", "delete"]
    assert (ApiViewSet.not_found, ApiViewSet.cursor_description) == ("Not found", "the id of an item")
    assert ApiViewSet.filterset_class is None
    assert ApiViewSet.newest_first is False


def test_an_update_changes_what_was_sent(alice: User) -> None:
    answer = call("put", "update", alice, {"email": "new@example.org"}, pk=str(alice.pk))

    assert (answer.status_code, answer.data) == (200, {"username": "alice", "email": "new@example.org"})


def test_a_permission_about_the_object_is_asked(alice: User, superuser: User) -> None:
    answer = call("put", "update", alice, {"email": "new@example.org"}, pk=str(superuser.pk))

    assert answer.status_code == 403
    assert call("put", "update", alice, {}, pk=str(alice.pk)).status_code == 200


def test_what_is_not_there_is_not_found(alice: User) -> None:
    for pk in (str(alice.pk + 1), "x"):
        answer = call("put", "update", alice, {}, pk=pk)
        assert (answer.status_code, answer.data["detail"]) == (404, "Not found")


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_a_broken_body_is_refused_where_it_is_not_used_either(alice: User, method: str) -> None:
    """Marking as read takes none."""
    action = "read_all"

    class View(MessageViewSet):
        def read_all(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("It got as far as this")

    request = getattr(APIRequestFactory(), method)("/messages", "{", content_type="application/json")
    force_authenticate(request, alice)

    assert View.as_view({method: action})(request).status_code == 400


@pytest.mark.parametrize("method", ["get", "delete"])
def test_a_body_that_no_method_has_is_not_read(alice: User, method: str) -> None:
    class View(ApiViewSet):
        permission_classes = ()

        def act(self, request: Any) -> Any:
            return Response(status=204)

    request = APIRequestFactory().generic(method, "/things", "{", content_type="application/json")
    force_authenticate(request, alice)

    assert View.as_view({method: "act"})(request).status_code == 204


def test_a_method_that_is_not_offered_is_refused_before_its_body(alice: User) -> None:
    request = APIRequestFactory().put("/people", "{", content_type="application/json")
    force_authenticate(request, alice)

    assert People.as_view({"patch": "update"})(request).status_code == 405
