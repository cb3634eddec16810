from rest_framework.routers import SimpleRouter

from messaging.views.conversations import ConversationViewSet
from messaging.views.messages import MessageViewSet
from messaging.views.people import BlockViewSet, DirectoryViewSet, PeopleViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("messages", MessageViewSet, basename="message")
urlpatterns = router.urls

auth_router = SimpleRouter(trailing_slash=False, use_regex_path=False)
auth_router.register("conversations", ConversationViewSet, basename="conversation")
auth_router.register("people", PeopleViewSet, basename="people")
auth_router.register("directory", DirectoryViewSet, basename="directory")
auth_router.register("blocks", BlockViewSet, basename="block")
under_auth = auth_router.urls
