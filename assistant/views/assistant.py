from urllib.parse import urlsplit

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from aimessage.api.scopes import Scope
from assistant.account import get_profile, get_thread
from assistant.models import Profile, Thread
from assistant.serializers import AssistantSerializer
from assistant.services.allowance import resets_at, used_by
from assistant.views.base import AssistantViewSet


def describe(profile: Profile, thread: Thread, user: User) -> dict[str, object]:
    return {
        "user_id": profile.user_id,
        "username": profile.user.username,
        "full_name": profile.user.full_name,
        "disclosure": profile.disclosure,
        "provider": urlsplit(settings.ASSISTANT.url).hostname,
        "model": settings.ASSISTANT.model,
        "share_messages": thread.share_messages,
        "paused": thread.is_paused,
        "tokens_per_day": settings.ASSISTANT.tokens_per_day,
        "tokens_used": used_by(user),
        "resets_at": resets_at(),
    }


class ProfileViewSet(AssistantViewSet[Profile]):
    scopes = {"retrieve": Scope.MESSAGES_READ, "partial_update": Scope.MESSAGES_WRITE}
    serializer_class = AssistantSerializer
    pagination_class = None

    def retrieve(self, request: Request) -> Response:
        profile = get_profile()
        return self._answer(profile, get_thread(self.user, profile))

    def partial_update(self, request: Request) -> Response:
        changed = self.read(request)
        profile = get_profile()
        thread = get_thread(self.user, profile)
        if changed:
            thread.share_messages = changed["share_messages"]
            thread.save(update_fields=["share_messages"])
        return self._answer(profile, thread)

    def _answer(self, profile: Profile, thread: Thread) -> Response:
        return Response(self.get_serializer(describe(profile, thread, self.user)).data)
