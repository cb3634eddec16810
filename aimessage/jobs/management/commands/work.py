import os

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from aimessage.jobs.working import work
from aimessage.server.slots import SLOT_VARIABLE, enter_slot


class Command(BaseCommand):
    help = (
        "Runs jobs, and what is to be done all the time or every day, until SIGTERM. gunicorn starts one by"
        " itself unless AI_MESSAGE_JOBS=off; any number may run, on any number of machines."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        known = ", ".join(settings.JOB_QUEUES)
        parser.add_argument("--queues", nargs="+", metavar="QUEUE", help=f"Only these of {known}.")
        parser.add_argument("--parent", type=int, help="End with the process of this number.")

    def handle(self, *args: object, queues: list[str] | None, parent: int | None, **options: object) -> None:
        if slot := os.environ.get(SLOT_VARIABLE):
            enter_slot(slot)
        chosen = dict.fromkeys(queues or settings.JOB_QUEUES)
        if unknown := chosen.keys() - settings.JOB_QUEUES.keys():
            raise CommandError(
                f"There is no queue {min(unknown)}; there are {', '.join(settings.JOB_QUEUES)}."
            )
        work({queue: settings.JOB_QUEUES[queue] for queue in chosen}, parent=parent)
