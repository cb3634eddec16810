from django.conf import settings
from rest_framework.request import Request

from aimessage.api.problems import NOT_FOUND, NotFound
from aimessage.api.viewsets import ApiViewSet, ModelT


class AssistantViewSet(ApiViewSet[ModelT]):
    """Answers 404 while no assistant is configured."""

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        if not settings.ASSISTANT.on:
            raise NotFound(NOT_FOUND)
        super().initial(request, *args, **kwargs)
