"""The Prometheus gauge of live sessions, counted at each scrape."""

from accounts.models import Session
from aimessage.server.metrics.gauges import Values, gauge


@gauge("aimessage_sessions_live", "Sessions whose tokens are good.")
def count_live_sessions() -> Values:
    return {(): Session.objects.live().count()}
