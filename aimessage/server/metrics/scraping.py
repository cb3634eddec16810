"""`/metrics`: who may read it, and what it contains."""

import platform
from collections.abc import Iterable
from functools import lru_cache
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from aimessage.server.clients import parse_address
from aimessage.server.metrics import REGISTRY
from aimessage.server.metrics.gauges import DatabaseCollector
from aimessage.server.metrics.processes import ProcessCollector
from aimessage.server.slots import folder

PATH = "/metrics"
#: Headers that proxies add. Behind a proxy the peer's address does not tell who asks.
FORWARDED = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
    "HTTP_FORWARDED",
    "HTTP_VIA",
)

Network = IPv4Network | IPv6Network


def may_scrape(request: HttpRequest) -> bool:
    if request.method not in ("GET", "HEAD"):
        return False
    if settings.METRICS_TOKEN:
        scheme, _, given = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        expected = settings.METRICS_TOKEN.encode()
        if scheme.lower() == "bearer" and compare_digest(given.strip().encode("utf-8", "replace"), expected):
            return True
    return (
        not any(name in request.META for name in FORWARDED)
        and _is_within(request.META.get("REMOTE_ADDR", ""), settings.METRICS_FROM)
        and _is_own_host(request.META.get("HTTP_HOST", ""))
    )


def _is_within(raw: str, networks: list[Network]) -> bool:
    address = parse_address(raw)  # a unix socket has none
    return address is not None and any(address in network for network in networks)


def _is_own_host(raw: str) -> bool:
    # Against DNS rebinding: a page in a browser on this machine can have its own host name resolve to
    # 127.0.0.1, but it cannot send another Host.
    domain, _ = split_domain_port(raw)
    try:
        ip_address(domain.strip("[]"))
    except ValueError:
        return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
    return True


def scrape() -> HttpResponse:
    body = generate_latest(_registry())
    return HttpResponse(body, content_type=CONTENT_TYPE_PLAIN_0_0_4)


class _WorkersCollector(Collector):
    """The counts of all workers, including dead ones."""

    def collect(self) -> Iterable[Metric]:
        path = folder()
        if path is None:
            return REGISTRY.collect()
        files = [str(file) for file in sorted(path.glob("*.db")) if _is_filled(file)]
        metrics: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return metrics


def _is_filled(file: Path) -> bool:
    # A worker that is just starting creates its files empty.
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # removed meanwhile, with its worker
        return False


class _BuildCollector(Collector):
    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "aimessage_build_info", "What is running; always 1.", labels=["version", "python", "django"]
        )
        version = str(settings.SPECTACULAR_SETTINGS["VERSION"])
        family.add_metric([version, platform.python_version(), django.__version__], 1)
        return [family]


@lru_cache(maxsize=1)
def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    for collector in (_WorkersCollector(), _BuildCollector(), ProcessCollector(), DatabaseCollector()):
        registry.register(collector)
    return registry
