from django.apps import AppConfig


class LegacyImportConfig(AppConfig):
    name = "operations.legacy_import"
    #: What its table and migrations are called since they landed.
    label = "moving"
