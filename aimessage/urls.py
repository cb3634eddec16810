"""The URLs of all apps, and handlers for errors outside of views."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from accounts import pages
from accounts import urls as accounts
from accounts.admin.login import AdminLoginForm
from accounts.admin.second_factor import PAGE, second_factor_view
from aimessage.api import handlers
from aimessage.api.pages import ChatView, RedocView, RootView, SwaggerView
from aimessage.api.system import DatabaseTestView, HealthView, SchemaView
from aimessage.events.views import EventsView
from assistant import urls as assistant
from channels import urls as channels
from messaging import urls as messaging
from reports import urls as reports

admin.site.site_header = admin.site.site_title = settings.NAME
admin.site.index_title = "Administration"
admin.site.site_url = "/"
admin.site.login_form = AdminLoginForm
# The lists need the width.
admin.site.enable_nav_sidebar = False

under_auth = [
    *accounts.account.urls,
    *messaging.under_auth,
    *accounts.under_auth,
    *channels.under_auth,
]

urlpatterns = [
    # Django tries these in order, so the most frequent paths come first.
    path("auth/", include(under_auth)),
    path("messages/", include(assistant.under_messages)),
    path("", include(messaging)),
    path("", include(accounts)),
    path("", include(reports)),
    path("", include(channels)),
    path("", include(assistant)),
    path("", RootView.as_view(), name="root"),
    path("health", HealthView.as_view(), name="health"),
    path("db-test", DatabaseTestView.as_view(), name="db-test"),
    path("openapi.json", SchemaView.as_view(), name="schema"),
    path("docs", SwaggerView.as_view(url_name="schema"), name="docs"),
    path("chat", ChatView.as_view(), name="chat"),
    path("redoc", RedocView.as_view(url_name="schema"), name="redoc"),
    path("events", EventsView.as_view(), name="events"),
    path("account/reset", pages.reset, name="account-reset"),
    path("account/undelete", pages.undelete, name="account-undelete"),
    path("account/verify", pages.verify, name="account-verify"),
    path("admin", RedirectView.as_view(pattern_name="admin:index"), name="admin"),
    path("admin/second-factor/", admin.site.admin_view(second_factor_view), name=PAGE),
    path("admin/", admin.site.urls),
]

handler400 = handlers.handler400
handler403 = handlers.handler403
handler404 = handlers.handler404
handler500 = handlers.handler500
