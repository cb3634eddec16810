"""The least that Django needs to answer; the rest is the application's, for its gunicorn.conf.py."""

from aimessage.settings import *  # noqa: F403
from aimessage.settings import DATABASES

INSTALLED_APPS = []
MIDDLEWARE = []
ROOT_URLCONF = "django_floor"
# One SELECT is one: persistent connections, without the check that sends a second.
DATABASES["default"] |= {
    "ENGINE": "django.db.backends.postgresql",
    "CONN_MAX_AGE": None,
    "CONN_HEALTH_CHECKS": False,
}
