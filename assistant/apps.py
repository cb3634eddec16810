from datetime import timedelta

from django.apps import AppConfig
from django.conf import settings


class AssistantConfig(AppConfig):
    name = "assistant"
    verbose_name = "Assistant"

    def ready(self) -> None:
        from aimessage.jobs.clock import periodically
        from assistant import (
            exporting,  # noqa: F401  adds to exports
            gauges,  # noqa: F401  registers them
        )
        from assistant.account import assistant_id, closed_accounts
        from assistant.events import add_reply_kinds
        from assistant.jobs import look_after, prune
        from assistant.services.asking import check_question, owe_reply
        from assistant.services.handoff import follow_report
        from assistant.tools import load_tools
        from messaging import aliases, selectors
        from messaging.services import extensions
        from reports import extensions as reports

        load_tools()
        add_reply_kinds()
        aliases.ACCOUNTS[-1] = assistant_id
        if settings.ASSISTANT.on:
            periodically("assistant.look_after", timedelta(seconds=30), look_after)
        selectors.OUT_OF_REACH.append(closed_accounts)
        extensions.checks.append(check_question)
        extensions.followers.append(owe_reply)
        reports.status_followers.append(follow_report)
        periodically("assistant.prune", timedelta(hours=1), prune)
