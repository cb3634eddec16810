"""The application's settings, which its gunicorn.conf.py needs, reduced to the least that Django needs."""

from aimessage.settings import *  # noqa: F403
from aimessage.settings import DATABASES

INSTALLED_APPS = []
MIDDLEWARE = []
ROOT_URLCONF = "django_floor"
# Persistent connections without health checks, so that one SELECT is one query.
DATABASES["default"] |= {
    "ENGINE": "django.db.backends.postgresql",
    "CONN_MAX_AGE": None,
    "CONN_HEALTH_CHECKS": False,
}
