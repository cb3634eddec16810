"""What /metrics looks like; test_metrics_server.py has several workers."""

import re
import shutil
import subprocess

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from aimessage.server.tests.scraping import scrape

pytestmark = pytest.mark.usefixtures("local_only", "database_that_answers")


def test_it_follows_the_conventions_of_prometheus(client: Client, db: None) -> None:
    """What `promtool check metrics` asks, so that it holds where there is no promtool."""
    for path in ("/health", "/nope", "/auth/me"):
        client.get(path)
    text = scrape(client).content.decode()
    families = list(text_string_to_metric_families(text))

    names = [family.name for family in families]
    assert len(names) == len(set(names)) > 15
    for family in families:
        assert re.fullmatch(r"aimessage_[a-z]+(_[a-z]+)*", family.name), family.name
        assert family.documentation.endswith("."), family.name
        assert family.type in {"counter", "gauge", "histogram"}, family.name
        assert not family.name.startswith(f"aimessage_{family.type}"), family.name
        assert not re.search(
            r"_(counter|gauge|histogram|milliseconds|ms|minutes|kb|mb|kilobytes|megabytes|percent)(_|$)",
            family.name,
        )
        seen = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
        assert len(seen) == len(set(seen)), family.name
        for sample in family.samples:
            assert all(re.fullmatch("[a-z]+", label) for label in sample.labels), sample
            if family.type == "counter":
                assert sample.name == f"{family.name}_total"
            if family.type == "gauge":
                assert not sample.name.endswith(("_total", "_count", "_sum", "_bucket", "_created")), sample
    assert f"# TYPE {families[0].name}" in text


@pytest.mark.skipif(not shutil.which("promtool"), reason="the test above asks the same without promtool")
def test_promtool_agrees(client: Client, db: None) -> None:
    client.get("/health")

    done = subprocess.run(
        ["promtool", "check", "metrics"],  # noqa: S607
        input=scrape(client).content,
        capture_output=True,
        timeout=30,
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_it_tells_what_is_running_and_what_it_takes(client: Client) -> None:
    families = {
        family.name: family.samples
        for family in text_string_to_metric_families(scrape(client).content.decode())
    }

    [build] = families["aimessage_build_info"]
    assert set(build.labels) == {"version", "python", "django"}
    [memory] = families["aimessage_worker_resident_memory_bytes"]
    assert memory.labels == {"worker": "0"}
    assert 10e6 < memory.value < 10e9
    [started] = families["aimessage_worker_start_time_seconds"]
    assert 0 < timezone.now().timestamp() - started.value < 24 * 3600
    assert families["aimessage_worker_cpu_seconds"][0].value > 0
    assert families["aimessage_worker_open_fds"][0].value >= 3
