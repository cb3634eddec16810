from django.urls import include, path
from rest_framework.routers import SimpleRouter

from assistant.views.assistant import ProfileViewSet
from assistant.views.handoff import HandoffViewSet
from assistant.views.questions import HistoryViewSet, QuestionViewSet
from assistant.views.replies import ReplyViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("replies", ReplyViewSet, basename="reply")

profile = ProfileViewSet.as_view({"get": "retrieve", "patch": "partial_update"})
handoff = HandoffViewSet.as_view({"post": "create", "delete": "destroy"})
urlpatterns = [
    path("assistant", profile, name="assistant"),
    path("assistant/handoff", handoff, name="handoff"),
    path("assistant/", include(router.urls)),
]
#: Matched before the routes of messages, which would take these names for ids.
under_messages = [
    path("ai", QuestionViewSet.as_view({"post": "ask"}), name="ask"),
    path("ai/twilio", QuestionViewSet.as_view({"post": "ask_twilio"}), name="ask-twilio"),
    path("history", HistoryViewSet.as_view({"get": "retrieve"}), name="history"),
    path("history/clear", HistoryViewSet.as_view({"delete": "clear"}), name="clear-history"),
]
