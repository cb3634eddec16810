from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "aimessage.audit"
    verbose_name = "Audit trail"
