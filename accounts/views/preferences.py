from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.models import User
from accounts.serializers.preferences import PreferencesSerializer
from aimessage.api.viewsets import ApiViewSet, LenientUpdateMixin


class PreferencesViewSet(LenientUpdateMixin, ApiViewSet[User]):
    serializer_class = PreferencesSerializer
    pagination_class = None

    def get_object(self) -> User:
        user: User = self.user
        return user

    def retrieve(self, request: Request) -> Response:
        return Response(self.get_serializer(self.user).data)

    def perform_update(self, serializer: BaseSerializer[User]) -> None:
        changed = serializer.validated_data
        for name, value in changed.items():
            setattr(self.user, name, value)
        if changed:
            self.user.save(update_fields=list(changed))
