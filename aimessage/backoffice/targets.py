"""Links from an entry of the audit trail to the page of its object."""

from django.apps import apps
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.admin.exceptions import NotRegistered
from django.http import HttpRequest
from django.urls import reverse

from aimessage.audit.models import Entry


def page_of_target(entry: Entry, request: HttpRequest) -> "ModelAdmin | None":
    """None if the user may not see it, or if its model or page no longer exists."""
    try:
        page = admin.site.get_model_admin(apps.get_model(entry.target_kind))
    except (LookupError, ValueError, NotRegistered):
        return None
    return page if page.has_view_or_change_permission(request) else None


def page_url(page: ModelAdmin, view: str, entry: Entry) -> str:
    return reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_{view}", args=[entry.target_id])
