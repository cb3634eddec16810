"""The settings of a test run, which ignores the developer's `.env`.

Tests run on the database of TEST_DATABASE_URL, else of DATABASE_URL in the environment, else on SQLite.
"""

import os
import secrets

os.environ["AI_MESSAGE_ENV_FILE"] = os.devnull
os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
if url := os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = url

from aimessage.settings import *  # noqa: F403

# Otherwise every test client lists the static files anew.
WHITENOISE_AUTOREFRESH = True
# A request's first query may take longer on a busy machine.
DATABASE_PATIENCE = 30
