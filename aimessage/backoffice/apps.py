from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class BackofficeConfig(AppConfig):
    name = "aimessage.backoffice"


class AuditedAdminConfig(AdminConfig):
    """Django's admin, with a site on which nothing can be done that leaves no row."""

    default_site = "aimessage.backoffice.site.AuditedSite"
