"""The application past PgBouncer and through it."""

import argparse
import os
import time
from pathlib import Path

import psycopg

from tools.benchmarks import load
from tools.benchmarks.load import Request
from tools.benchmarks.processes import cpu_seconds
from tools.benchmarks.servers import ROOT, Application, stopping

#: As gunicorn.conf.py has it: 2 workers with 16 threads.
CONNECTIONS = 32


def pooler(options: argparse.Namespace) -> None:
    folder = Path(options.folder)
    pids = {"postgresql": options.postmaster, "pgbouncer": options.pgbouncer}
    with psycopg.connect(options.direct, autocommit=True) as watcher, stopping([]) as servers:
        ways = {}
        for number, (name, url) in enumerate({"past": options.direct, "through": options.pooled}.items()):
            app = Application(ROOT, url, folder / name)
            (folder / name).mkdir(parents=True, exist_ok=True)
            os.environ["BENCH_APP_AI_MESSAGE_DATABASE_POOLER"] = str(int(name == "through"))
            servers.append(app.serve(name, options.port + number))
            ways[name] = (servers[-1], app)
        tokens = ways["past"][1].mint_tokens(200)
        print(f"{'case':<10}{'way':<9}{'req/s':>8}{'p50 ms':>8}{'p99 ms':>8}"
              f"{'app µs':>8}{'pg µs':>8}{'bouncer':>8}{'backends':>9}")  # fmt: skip
        for case, requests in _mixes(tokens).items():
            for _ in range(options.pairs):
                for name, (server, _app) in ways.items():
                    every = {"app": server.process.pid, **pids}
                    before = {who: cpu_seconds(pid) for who, pid in every.items()}
                    running = load.Load(
                        server.url, requests, connections=CONNECTIONS, seconds=options.seconds
                    )
                    time.sleep(options.seconds / 2)
                    backends = watcher.execute(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
                        " AND state_change > now() - interval '1 second'"
                    ).fetchone()
                    outcome = running.wait()
                    if outcome.errors:
                        raise load.LoadError(f"{outcome.errors} errors")
                    used = {
                        who: 1e6 * (cpu_seconds(pid) - before[who]) / outcome.requests
                        for who, pid in every.items()
                    }
                    print(
                        f"{case:<10}{name:<9}{outcome.rate:>8.0f}{outcome.p50:>8.1f}{outcome.p99:>8.1f}"
                        f"{used['app']:>8.0f}{used['postgresql']:>8.0f}{used['pgbouncer']:>8.0f}"
                        f"{backends[0] if backends else 0:>9}"
                    )


def _mixes(tokens: dict[int, str]) -> dict[str, list[Request]]:
    people = [(user, {"Authorization": f"Bearer {token}"}) for user, token in tokens.items()]
    json = {"Content-Type": "application/json"}
    sends = [
        Request(
            "/messages", "POST", head | json, f'{{"recipient_id": {user % 9000 + 7}, "content": "n {{n}}"}}'
        )
        for user, head in people
        if user % 9000 + 7 != user
    ]
    return {
        "me": [Request("/auth/me", headers=head) for _, head in people],
        "messages": [Request("/messages", headers=head) for _, head in people],
        "send": sends,
    }
