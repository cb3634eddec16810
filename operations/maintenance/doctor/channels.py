"""Checks SMS and WhatsApp: are Twilio's requests accepted, and do messages go out?"""

from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlencode, urlsplit

from django.conf import settings

from channels.gauges import count_filtered
from channels.models import Sender
from channels.outcomes import OUTCOMES
from channels.settings import Twilio
from channels.signatures import sign_form
from operations.maintenance.doctor.findings import Finding, error, ok, skipped, warning

TIMEOUT = 10
PATH = "/twilio_webhook/status"
TAKEN, REFUSED = 204, 403
#: From this many messages a day that networks filtered, there is a warning.
MANY = 5
OFF = "off: no SMS, no WhatsApp"


def configured() -> Finding:
    twilio: Twilio | None = settings.TWILIO
    if twilio is None:
        return ok(OFF)
    insecure = [url for url in settings.PUBLIC_URLS if not url.startswith("https://")]
    if insecure:
        return warning(
            f"Twilio is to call {insecure[0]}, without encryption.", "Set AI_MESSAGE_PUBLIC_URL=https://…"
        )
    if not twilio.numbers:
        return warning(
            "AI_MESSAGE_TWILIO_FROM names no number: nobody can link a phone.",
            "Set it to your numbers, as +15005550006, whatsapp:+15005550006",
        )
    return ok(f"Twilio calls {settings.PUBLIC_URL}/twilio_webhook; numbers: {', '.join(twilio.numbers)}")


def sending() -> Finding:
    if settings.TWILIO is None:
        return skipped(OFF)
    paused = Sender.objects.exclude(paused_reason="").first()
    if paused is not None:
        return error(
            f"{paused} sends nothing: {paused.paused_reason}.",
            "See to the account's key and number at Twilio; it is tried again every five minutes.",
        )
    filtered = int(count_filtered()[()])
    if filtered >= MANY:
        codes = ", ".join(str(code) for code, outcome in OUTCOMES.items() if outcome == "filtered")
        return warning(
            f"{filtered} messages of the last day were taken for spam, or the number is not registered.",
            f"Look the codes up at https://www.twilio.com/docs/api/errors: {codes}",
        )
    return ok("nothing is held up")


def reachable(url: str) -> Finding:
    # Posts the status of a message that does not exist, signed as Twilio signs.
    twilio: Twilio | None = settings.TWILIO
    if twilio is None:
        return skipped(OFF)
    target = url.rstrip("/") + PATH
    try:
        status = _post(target, signed_for=target, twilio=twilio)
        if status == TAKEN:
            return ok(f"a request that is signed for {url} is taken")
        if status != REFUSED:
            return error(
                f"{target} answers {status}.",
                "Let the proxy pass it on as it does the rest of the API, with the body as it came.",
            )
        for other in _candidate_urls(url):
            if _post(target, signed_for=other + PATH, twilio=twilio) == TAKEN:
                return error(
                    f"Twilio's requests would be refused: the server takes what is signed for {other}.",
                    f"Set AI_MESSAGE_PUBLIC_URL={url.rstrip('/')}, which Twilio is to call, and restart.",
                )
    except (OSError, HTTPException) as failure:
        return error(f"{target} does not answer ({type(failure).__name__}).", "See to the finding on url.")
    return error(
        "Twilio's requests would be refused, whichever address they are signed for.",
        "Restart the server: it may have started with other settings. Does the proxy change the path?",
    )


def _post(target: str, *, signed_for: str, twilio: Twilio) -> int:
    fields = {
        "MessageSid": "SM" + "0" * 32,
        "MessageStatus": "sent",
        "AccountSid": twilio.account,
        "From": "doctor",
        "To": "doctor",
    }
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": "aimessage-doctor",
        **sign_form(twilio, signed_for, fields),
    }
    parts = urlsplit(target)
    made = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = made(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        connection.request("POST", parts.path, urlencode(fields), headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _candidate_urls(url: str) -> Iterator[str]:
    """Addresses for which the server at `url` may check signatures, if it is configured wrongly."""
    yield from settings.PUBLIC_URLS
    parts = urlsplit(url.rstrip("/"))
    hosts = {parts.netloc, parts.hostname or "", *(urlsplit(one).netloc for one in settings.PUBLIC_URLS)}
    paths = {parts.path, "", "/api", *(urlsplit(one).path for one in settings.PUBLIC_URLS)}
    for scheme in ("https", "http"):
        for host in sorted(hosts):
            for path in sorted(paths):
                yield f"{scheme}://{host}{path}"
    own = f"{settings.HOST}:{settings.PORT}"
    yield f"http://{own}"
