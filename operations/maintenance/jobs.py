"""The sweep as a daily job."""

import logging

from django_tasks import task

from operations.maintenance.sweeping import sweep_all

logger = logging.getLogger("aimessage.jobs")


@task
def sweep() -> None:
    found = [f"{count} {what}" for what, count in sweep_all() if count]
    logger.info("Swept: %s", ", ".join(found) or "nothing to delete")
