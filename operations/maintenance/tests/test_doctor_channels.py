"""What the doctor says of SMS and WhatsApp."""

from typing import Any

import pytest
from pytest_django import Settings

from channels.models import Delivery, Sender
from channels.tests.carrying import link, reply, text_in
from channels.tests.conftest import desk, twilio, twilio_with  # noqa: F401  fixtures
from operations.maintenance.doctor import channels
from operations.maintenance.doctor.findings import Level
from operations.maintenance.tests.doctor_states import check

pytestmark = pytest.mark.django_db
OK, SKIPPED, WARNING, ERROR = Level.OK, Level.SKIPPED, Level.WARNING, Level.ERROR


def test_off(settings: Settings) -> None:
    settings.TWILIO = None

    check(channels.configured(), OK, "off")
    check(channels.sending(), SKIPPED)
    check(channels.reachable("http://localhost:1"), SKIPPED)


@pytest.mark.usefixtures("twilio")
def test_settings(settings: Settings, twilio_with: Any) -> None:  # noqa: F811
    settings.PUBLIC_URLS = [settings.PUBLIC_URL] = ["https://chat.example.org"]
    check(channels.configured(), OK, "https://chat.example.org/twilio_webhook; numbers: +15005550006")

    twilio_with(numbers=())
    check(channels.configured(), WARNING, "AI_MESSAGE_TWILIO_FROM")

    settings.PUBLIC_URLS = ["http://chat.example.org"]
    check(channels.configured(), WARNING, "without encryption")


def test_what_does_not_leave(desk: Any, alice: Any, twilio: Any) -> None:  # noqa: F811
    check(channels.sending(), OK)
    link(alice)
    text_in("Hello")
    for _ in range(5):
        reply(desk, alice)
    Delivery.objects.update(state="failed", error_code=30034, due_at=None)
    check(channels.sending(), WARNING, "30034")

    Sender.objects.update(paused_reason="Twilio does not accept our key (401 20003)")
    check(channels.sending(), ERROR, "+15005550006 sends nothing: Twilio does not accept our key")


@pytest.mark.django_db(transaction=True)
class TestReachable:
    @pytest.fixture(autouse=True)
    def _on(self, twilio: Any) -> None:  # noqa: F811
        pass

    def test_it_is(self, settings: Settings, live_server: Any) -> None:
        settings.PUBLIC_URLS = ["https://elsewhere.example", live_server.url]

        check(channels.reachable(live_server.url), OK, live_server.url)
        check(channels.reachable(f"{live_server.url}/"), OK)

    def test_by_a_shared_key(self, settings: Settings, live_server: Any, twilio_with: Any) -> None:  # noqa: F811
        settings.PUBLIC_URLS = [live_server.url]
        twilio_with(tokens={}, shared_keys={"k1": "a-shared-key-of-some-length"})

        check(channels.reachable(live_server.url), OK)

    @pytest.mark.parametrize(
        "believed", ["https://chat.example.org", "https://chat.example.org/api", "{}/api", "https://{host}"]
    )
    def test_the_server_takes_itself_for_another(
        self, settings: Settings, live_server: Any, believed: str
    ) -> None:
        believed = believed.format(live_server.url, host=live_server.url.removeprefix("http://"))
        settings.PUBLIC_URLS = [believed]

        check(channels.reachable(live_server.url), ERROR, f"signed for {believed}")

    def test_with_another_key(self, settings: Settings, live_server: Any, monkeypatch: Any) -> None:
        monkeypatch.setattr(channels, "sign_form", lambda *args: {"X-Twilio-Signature": "x"})

        check(channels.reachable(live_server.url), ERROR, "Restart the server")

    def test_nobody_is_there(self) -> None:
        check(channels.reachable("http://localhost:1"), ERROR, "does not answer")

    def test_somebody_else_is_there(self, live_server: Any) -> None:
        check(channels.reachable(f"{live_server.url}/nowhere"), ERROR, "answers 404")
