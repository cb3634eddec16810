from rest_framework.routers import SimpleRouter

from accounts.views import AccountViewSet, SessionViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("auth/sessions", SessionViewSet, basename="session")
router.register("auth", AccountViewSet, basename="account")

urlpatterns = router.urls
