"""The twilio library's client, with time limits, and with the address that the settings name.

Only twilio_calls.py imports this module, and only in the function that calls: the library takes 20 MB, which
web workers that send nothing save.
"""

from typing import Any

from requests import Session
from requests import exceptions as of_requests
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client
from urllib3 import exceptions as of_urllib3

#: The addresses that the library calls.
_OFFICIAL, _OFFICIAL_VERIFY = "https://api.twilio.com", "https://verify.twilio.com"
#: Keeps the library from reading these from the process's environment.
_ENVIRONMENT = {"TWILIO_EDGE": "", "TWILIO_REGION": ""}


class Http(HttpClient):
    def __init__(self, base_url: str, *, connect_seconds: float, read_seconds: float) -> None:
        super().__init__(None, False, None)
        self.base_url, self.seconds = base_url, (connect_seconds, read_seconds)
        self.retry_after: str | None = None

    def request(self, method: str, url: str, **options: Any) -> Response:
        options |= {"timeout": self.seconds, "allow_redirects": False}
        if self.base_url != _OFFICIAL:
            url = url.replace(_OFFICIAL, self.base_url, 1).replace(_OFFICIAL_VERIFY, self.base_url, 1)
        with Session() as session:
            answer = session.request(method, url, **options)
        self.retry_after = answer.headers.get("Retry-After")
        return Response(answer.status_code, answer.text, answer.headers)


def make_client(username: str, password: str, account: str, http: Http) -> Client:
    return Client(username, password, account, http_client=http, environment=_ENVIRONMENT)


def failed_to_connect(error: BaseException) -> bool:
    if isinstance(error, of_requests.ConnectTimeout | of_requests.InvalidURL | of_requests.MissingSchema):
        return True
    cause = error.args[0] if isinstance(error, of_requests.ConnectionError) and error.args else None
    reason = cause.reason if isinstance(cause, of_urllib3.MaxRetryError) else None
    return isinstance(
        reason,
        of_urllib3.NewConnectionError
        | of_urllib3.ConnectTimeoutError
        | of_urllib3.SSLError
        | of_urllib3.ProxyError,
    )
