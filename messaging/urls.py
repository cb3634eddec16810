from rest_framework.routers import SimpleRouter

from messaging.views.conversations import ConversationViewSet
from messaging.views.messages import MessageViewSet
from messaging.views.people import BlockViewSet, DirectoryViewSet, PeopleViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
# What is asked for most comes first.
router.register("messages", MessageViewSet, basename="message")
router.register("auth/conversations", ConversationViewSet, basename="conversation")
router.register("auth/people", PeopleViewSet, basename="people")
router.register("auth/directory", DirectoryViewSet, basename="directory")
router.register("auth/blocks", BlockViewSet, basename="block")

urlpatterns = router.urls
