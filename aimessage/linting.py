"""The settings with which `make lint` checks migrations; pyproject.toml has the exceptions."""

from aimessage.settings import *  # noqa: F403
from aimessage.settings import BASE_DIR, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "django_migration_linter"]
MIGRATION_LINTER_OPTIONS = {"project_root_path": str(BASE_DIR)}
