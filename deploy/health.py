"""The image's HEALTHCHECK: asks the server of this container for /health.

It does not import the application, since it runs every few seconds.
"""

import http.client
import os
import ssl
import sys
from pathlib import Path

TIMEOUT = 4
ROOT = Path(__file__).resolve().parent.parent
ANYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104


def healthy() -> bool:
    host = os.environ.get("AI_MESSAGE_HOST", "").strip().strip("[]")
    address = "127.0.0.1" if host in ANYWHERE else host
    port = int(os.environ.get("AI_MESSAGE_PORT") or 8000)
    connection: http.client.HTTPConnection
    if all(_file(name).is_file() for name in ("cert", "key")):
        # Its own certificate need not be valid for this address.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(address, port, timeout=TIMEOUT, context=context)
    else:
        connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/health", headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    finally:
        connection.close()


def _file(name: str) -> Path:
    return ROOT / (os.environ.get(f"AI_MESSAGE_SSL_{name.upper()}") or f"ssl/{name}.pem")


if __name__ == "__main__":
    try:
        sys.exit(not healthy())
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.exit(f"{type(error).__name__}: {error}")
