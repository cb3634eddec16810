"""Reports, changed where they would break a constraint of the new table."""

from datetime import datetime

from operations.legacy_import.accounts import note_unclean, read_times
from operations.legacy_import.cells import read_id, read_text, read_time
from operations.legacy_import.findings import Findings
from operations.legacy_import.source import OldReport
from operations.legacy_import.writing import insert
from reports.models import TITLE_MAX_LENGTH, Report

NO_TITLE = "(no title)"
NO_CONTENT = "(no text)"


def write_reports(
    rows: list[OldReport],
    *,
    accounts: set[int],
    now: datetime,
    before: datetime,
    findings: Findings,
    using: str,
) -> list[Report]:
    reports: list[Report] = []
    for old in rows:
        reports.append(map_report(old, accounts=accounts, now=now, before=before, findings=findings))
        before = reports[-1].created_at
    insert(Report, reports, using=using)
    return reports


def map_report(
    old: OldReport, *, accounts: set[int], now: datetime, before: datetime, findings: Findings
) -> Report:
    pk = int(old.id)
    created_at, updated_at = read_times(old, now=now, before=before, findings=findings)
    note_unclean(old, ["title", "content", "comment"], findings)
    title, content = _read_words(old, findings)
    status, resolved_at = _read_state(old, updated_at, findings)
    if resolved_at:
        resolved_at = max(created_at, min(resolved_at, now))
    return Report(
        pk=pk,
        reporter_id=_read_account(old.reporter_id, accounts, "reporter", pk, findings),
        title=title,
        content=content,
        status=status,
        comment=read_text(old.comment) or None,
        resolved_at=resolved_at,
        resolved_by_id=(
            _read_account(old.resolved_by, accounts, "resolver", pk, findings)
            if resolved_at and old.resolved_by is not None
            else None
        ),
        created_at=created_at,
        updated_at=updated_at,
    )


def _read_words(old: OldReport, findings: Findings) -> tuple[str, str]:
    title, content = read_text(old.title), read_text(old.content)
    if len(title) > TITLE_MAX_LENGTH:
        findings.change(old.id, "title cut to 255 characters; the whole of it leads the content")
        content = f"{title}\n\n{content}"
        title = f"{title[: TITLE_MAX_LENGTH - 1]}…"
    if not title.strip():
        findings.change(old.id, "title was empty")
        title = NO_TITLE
    if not content.strip():
        findings.change(old.id, "content was empty")
        content = NO_CONTENT
    return title, content


def _read_state(old: OldReport, updated_at: datetime, findings: Findings) -> tuple[str, datetime | None]:
    # A constraint wants resolved_at exactly where the status is resolved.
    raw, resolved_at = read_text(old.status), read_time(old.resolved_at)
    status = raw.strip().lower().replace("-", "_").replace(" ", "_")
    if status not in Report.Status.values:
        status = Report.Status.RESOLVED if resolved_at else Report.Status.OPEN
    if status != raw:
        findings.change(old.id, f"status taken as {status}", f"was {raw[:50]!r}")
    if status == Report.Status.RESOLVED and resolved_at is None:
        findings.change(old.id, "resolved at no known time: taken as when it last changed")
        resolved_at = updated_at
    if status != Report.Status.RESOLVED and (old.resolved_at is not None or old.resolved_by is not None):
        findings.change(old.id, "not resolved, but told by whom or when: that is left out")
        resolved_at = None
    return status, resolved_at


def _read_account(raw: object, accounts: set[int], who: str, pk: int, findings: Findings) -> int | None:
    account = read_id(raw)
    if account in accounts:
        return account
    findings.change(pk, f"its {who} is no account any more", f"account {read_text(raw)}")
    return None
