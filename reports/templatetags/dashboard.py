"""Template tags of the admin: ages of reports, and the dashboard on the home page."""

from dataclasses import dataclass
from datetime import date

from django import template
from django.template import Context

from reports.ages import in_short
from reports.dashboard import DAYS, Series, count_traffic, count_work

#: In units of the SVG: a bar with its gap, the bar alone, the highest bar.
STEP, WIDTH, HEIGHT = 10, 8, 56

register = template.Library()
register.filter(in_short)


@dataclass(frozen=True)
class Bar:
    day: date
    count: int
    x: int
    y: float
    height: float


@register.filter
def bars(series: Series) -> list[Bar]:
    # The highest bar gets HEIGHT; a day with anything shows at least a line.
    scale = HEIGHT / max(1, series.most)
    heights = [max(1, round(count * scale, 1)) if count else 0 for _, count in series.days]
    return [
        Bar(day, count, number * STEP, round(HEIGHT - height, 1), height)
        for number, ((day, count), height) in enumerate(zip(series.days, heights, strict=True))
    ]


@register.inclusion_tag("admin/dashboard.html", takes_context=True)
def dashboard(context: Context) -> dict[str, object]:
    user = context["request"].user
    return {
        "work": count_work(user) if user.has_perm("reports.view_report") else None,
        "traffic": count_traffic() if user.is_superuser else None,
        "plot": {"width": DAYS * STEP - (STEP - WIDTH), "height": HEIGHT, "bar": WIDTH},
    }
