from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.models import User
from accounts.serializers import example
from aimessage.api.viewsets import ApiViewSet, LenientUpdateMixin
from aimessage.db.fields import FlagField


@example({"notify_logins": True})
class PreferencesSerializer(serializers.ModelSerializer[User]):
    notify_logins = FlagField(
        help_text="Whether a mail tells of a login from a device and network that are new."
    )

    class Meta:
        model = User
        fields = ["notify_logins"]


class PreferencesViewSet(LenientUpdateMixin, ApiViewSet):
    serializer_class = PreferencesSerializer
    pagination_class = None

    def get_object(self) -> User:
        user: User = self.user
        return user

    @extend_schema(tags=["accounts"], operation_id="get_preferences", summary="One's preferences")
    def retrieve(self, request: Request) -> Response:
        return Response(self.get_serializer(self.user).data)

    @extend_schema(
        tags=["accounts"], operation_id="update_preferences", summary="Change the preferences that are sent"
    )
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().update(request, *args, **kwargs)

    @extend_schema(tags=["accounts"], operation_id="patch_preferences", summary="The same as PUT")
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().partial_update(request, *args, **kwargs)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        changed = serializer.validated_data
        for name, value in changed.items():
            setattr(self.user, name, value)
        if changed:
            self.user.save(update_fields=list(changed))
