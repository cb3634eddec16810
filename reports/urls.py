from rest_framework.routers import SimpleRouter

from reports.views import ReportViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("reports", ReportViewSet, basename="report")

urlpatterns = router.urls
