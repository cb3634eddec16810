"""A process of its own that reads the settings."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "a-long-text-that-stands-for-a-random-key-0123456789"  # the same in every process of a test run


SHOW = """
import json, sys
from aimessage import settings
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}, default=str))
"""


def run(*command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "AI_MESSAGE_ENV_FILE": os.devnull,
        "AI_MESSAGE_LOGS_FOLDER": str(folder),
        "SECRET_KEY": KEY,
        **variables,
    }
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
