from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = "Audit trail"


class AuditedAdminConfig(AdminConfig):
    """Django's admin, with a site on which nothing can be done that leaves no row."""

    default_site = "audit.site.AuditedSite"
