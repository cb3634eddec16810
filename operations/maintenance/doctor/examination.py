from collections.abc import Iterator
from functools import partial
from pathlib import Path

from operations.maintenance.doctor import (
    assistant,
    channels,
    configuration,
    database,
    machine,
    mailing,
    routine,
    website,
)
from operations.maintenance.doctor.findings import Check, Finding, Level, error, skipped

#: Where the timer in deploy/systemd puts them.
BACKUPS = Path("/var/backups/aimessage")


def examine(
    *, url: str | None = None, backups: Path = BACKUPS, mail: str | None = None
) -> Iterator[tuple[str, Finding]]:
    """Runs the checks and yields their names and findings. `url` adds checks of the running server."""
    without_database: dict[str, Check] = {
        "secret key": configuration.secret_key,
        "token keys": configuration.jwt_keys,
        "env file": configuration.env_file,
        "debug": configuration.debug,
        "hosts": configuration.hosts,
        "https": configuration.https,
        "proxies": configuration.proxies,
        "limits": configuration.limits,
        "mail": mailing.configured,
        "assistant": assistant.configured,
        "assistant's provider": assistant.provider,
        "channels": channels.configured,
        "system checks": configuration.system_checks,
        "log folder": machine.log_folder,
        "disk space": partial(machine.disk_space, backups),
        "certificate": machine.certificate,
        "static files": machine.static_files,
        "backups": partial(routine.backups, backups),
        "database": database.reachable,
    }
    with_database: dict[str, Check] = {
        "migrations": database.migrations,
        "durability": database.durability,
        "encoding": database.encoding,
        "collation": database.collation,
        "connections": database.connections,
        "clock": database.clock,
        "indexes": database.indexes,
        "import": database.unfinished_import,
        "journal": database.journal,
        "file system": database.file_system,
        "shared counts": database.shared_counts,
        "superuser": routine.superuser,
        "demo accounts": routine.demo_accounts,
        "sweep": routine.swept,
        "jobs": routine.jobs,
        "mails": mailing.going_out,
        "assistant's answers": assistant.serving,
        "channels sending": channels.sending,
        "sealed secrets": routine.sealed_secrets,
    }
    if mail:
        without_database = {"mail sent": partial(mailing.sends, mail), **without_database}
    if url:
        without_database = {
            "url": partial(website.answers, url),
            "url certificate": partial(website.certificate, url),
            **without_database,
        }
        with_database["url forged address"] = partial(website.forged_address, url)
        with_database["url channels"] = partial(channels.reachable, url)
    for name, check in without_database.items():
        finding = _run(check)
        yield name, finding
    answers = finding.level is Level.OK  # The last check was whether the database answers.
    for name, check in with_database.items():
        if not answers:
            yield name, skipped("the database does not answer")
        else:
            yield name, _run(partial(_with_time_limit, check))


def _with_time_limit(check: Check) -> Finding:
    with database.statement_time_limit():
        return check()


def _run(check: Check) -> Finding:
    try:
        return check()
    except Exception as failure:
        # The message of an exception may hold a secret.
        return error(
            f"The check itself failed ({type(failure).__name__}).", "See to the other findings first."
        )
