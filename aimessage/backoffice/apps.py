from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class BackofficeConfig(AppConfig):
    name = "aimessage.backoffice"


class AuditedAdminConfig(AdminConfig):
    """Django's admin, with a site that records every act in the audit trail."""

    default_site = "aimessage.backoffice.site.AuditedSite"
