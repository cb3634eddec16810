from django.contrib import admin
from django.http import HttpRequest

from aimessage.backoffice.lists import ReadOnlyAdmin, is_superuser
from aimessage.backoffice.pages import ServiceAdmin


class SuperuserViewAdmin(ReadOnlyAdmin, ServiceAdmin):
    """Read-only, and for superusers only: phone numbers are personal data."""

    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return is_superuser(request)
