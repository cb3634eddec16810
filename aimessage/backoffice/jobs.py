"""The page on which superusers see jobs and run them again."""

from datetime import datetime

from django.conf import settings
from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult, get_date_max

from aimessage.backoffice.lists import Question, ReadOnlyAdmin, is_superuser
from aimessage.backoffice.pages import ServiceAdmin
from aimessage.jobs.models import Job
from aimessage.jobs.services import run_again

admin.site.unregister(DBTaskResult)

RUN_AGAIN = Question(
    action="run_again",
    ask="Run {} again?",
    will="will run as soon as a worker is free",
    left="running, due or done",
)


class QueueFilter(admin.SimpleListFilter):
    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(queue, queue) for queue in settings.JOB_QUEUES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(queue_name=self.value()) if self.value() else queryset


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin, ServiceAdmin):
    list_display = ["function", "arguments", "queue_name", "status", "due", "finished_at", "tries"]
    list_filter = ["status", QueueFilter]
    sortable_by = ()
    confirm_display = ["function", "arguments", "status"]
    actions = ["run_again"]
    show_facets = admin.ShowFacets.NEVER
    fieldsets = [
        (None, {"fields": ["task_path", "arguments", "queue_name", "priority", "status"]}),
        ("When", {"fields": ["enqueued_at", "due", "started_at", "finished_at"]}),
        ("Tries", {"fields": ["worker_ids", "error"]}),
    ]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_superuser(request)

    @admin.display(description="job")
    def function(self, job: Job) -> str:
        return str(job)

    @admin.display(description="arguments")
    def arguments(self, job: Job) -> str:
        given = job.args_kwargs
        named = [f"{name}={value}" for name, value in given["kwargs"].items()]
        return ", ".join([*map(str, given["args"]), *named]) or "-"

    @admin.display(description="due", empty_value="at once")
    def due(self, job: Job) -> datetime | None:
        return None if job.run_after == get_date_max() else job.run_after

    @admin.display(description="tries")
    def tries(self, job: Job) -> int:
        return len(job.worker_ids)

    @admin.display(description="last error")
    def error(self, job: Job) -> SafeString | str:
        return format_html("<pre>{}</pre>", job.traceback) if job.traceback else "-"

    @admin.action(description="Run again …")
    def run_again(self, request: HttpRequest, selected: QuerySet[Job]) -> HttpResponse | None:
        waiting = Q(status=TaskResultStatus.FAILED)
        waiting |= Q(status=TaskResultStatus.READY) & ~Q(run_after=get_date_max())
        jobs = selected.filter(waiting)
        if asked := self.confirm(request, RUN_AGAIN, selected=selected, touched=jobs):
            return asked
        self.act_on_each(request, jobs, run_again, "job.run_again", "set to run again")
        return None
