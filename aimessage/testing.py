"""The settings of a test run, whatever the developer's own `.env` says.

`TEST_DATABASE_URL` names the database server to test on; without it DATABASE_URL does where the
environment has one, and SQLite otherwise.
"""

import os
import secrets

os.environ["AI_MESSAGE_ENV_FILE"] = os.devnull
os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
if url := os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = url

from aimessage.settings import *  # noqa: F403

# Every client that a test makes would otherwise list the static files anew.
WHITENOISE_AUTOREFRESH = True
# On a busy machine the first query of a request, which may well be a test's clearing up, takes longer.
DATABASE_PATIENCE = 30
