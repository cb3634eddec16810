"""Measurements that are no cases: latency beside logins, the admin's lists, memory of workers."""

import time
from collections.abc import Callable
from itertools import chain

import psycopg

from tools.benchmarks import load
from tools.benchmarks.cases import CASES, PEER, PRODUCT, get, logins
from tools.benchmarks.data import ADMIN, ORDINARY, users_table
from tools.benchmarks.load import Request
from tools.benchmarks.loading import copy_table
from tools.benchmarks.measuring.bench import Bench, measured
from tools.benchmarks.measuring.options import say
from tools.benchmarks.processes import workers_pss_kib

LOGGING_IN = 20
ADMIN_USERS = 100_000
MEMORY_REQUESTS = 100_000
LONG_ANSWERS = {"messages", "conversations", "conversation", "reports"}


def noise(bench: Bench) -> None:
    # GET /auth/me, alone and beside logins, whose hashing takes all the CPU it gets.
    seconds = 2 if bench.options.quick else 5
    url = bench.servers[PRODUCT].url
    requests = get(bench.facts, ORDINARY, "/auth/me")
    people = list(logins(bench.facts))
    for repetition in range(2 if bench.options.quick else 5):
        for label in ("quiet", f"while {LOGGING_IN} log in"):
            bench.settle(bench.servers[PRODUCT])
            others = None
            if label != "quiet":
                others = load.Load(url, people, connections=LOGGING_IN, seconds=seconds + 2)
                time.sleep(1)
            try:
                outcome = load.run(url, requests, connections=8, seconds=seconds)
                beside = others.wait() if others else None
            finally:
                if others:
                    others.stop()
            values = measured(outcome)
            bench.record(
                "noise",
                kind="phase",
                contender=label,
                connections=8,
                repetition=repetition,
                logins=beside.rate if beside else 0,
                **values,
            )
            say(f"  GET /auth/me, {label}: p50 {values['p50']:.1f} ms, p99 {values['p99']:.1f} ms")


def admin(bench: Bench) -> None:
    # With ten times as many people.
    present = bench.facts.one("SELECT max(id) FROM accounts_user")
    if present < ADMIN_USERS and not bench.options.quick:
        with psycopg.connect(bench.app.database_url, autocommit=True) as connection:
            copy_table(connection, users_table(present + 1, ADMIN_USERS, bench.shape.ends))
            connection.execute("VACUUM ANALYZE accounts_user")
    cookies = bench.app.ask("cookie", str(ADMIN))
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    lists = bench.app.ask("admin")
    paths = {"home page": "/admin/", **{name.replace("_", ": "): path for name, path in lists.items()}}
    users, complaints = lists.get("accounts_user"), lists.get("reports_report")
    if users:
        paths |= {"accounts: user, page 100": f"{users}?p=100", "accounts: user, search": f"{users}?q=mara"}
    if complaints:
        paths |= {"reports: report, page 100": f"{complaints}?p=100"}
    for label, path in paths.items():
        seconds = 1 if bench.options.quick else 4
        url = bench.servers[PRODUCT].url
        outcome = load.run(url, [Request(path, headers=headers)], connections=1, seconds=seconds)
        bench.record(
            "admin",
            kind="phase",
            contender=label,
            connections=1,
            repetition=0,
            path=path,
            **measured(outcome),
        )
        say(f"  {label:<40} p50 {outcome.p50:>7.1f} ms, {outcome.requests} requests")


def memory(bench: Bench) -> None:
    # The peer gets a quarter of the requests: its growth is not in question.
    cases = [
        CASES[name](bench.facts) for name in CASES if name not in ("floors", "search", "senders", "login")
    ]
    for server in (PRODUCT, PEER):
        total = MEMORY_REQUESTS // (4 if server == PEER else 1) // (50 if bench.options.quick else 1)
        kinds = [
            one.requests[:200]
            for case in cases
            for one in case.contenders * (1 if case.name in LONG_ANSWERS else 3)
            if one.server == server
        ]
        # Requests of all kinds in turn; like clients, three short ones for each page of a list.
        mixed = list(chain.from_iterable([kind[n % len(kind)] for kind in kinds] for n in range(200)))
        running, done = bench.servers[server], 0
        samples: list[tuple[int, list[int]]] = []
        while done < total:
            outcome = load.run(running.url, mixed, connections=8, seconds=1 if bench.options.quick else 5)
            done += outcome.requests
            samples.append((done, workers_pss_kib(running.process.pid)))
        bench.record("memory", kind="phase", contender=server, connections=8, repetition=0, samples=samples)
        shown = ", ".join(f"{kib / 1024:.1f}" for kib in samples[-1][1])
        say(f"  {server}: {shown} MiB PSS a worker after {done:,} requests")


PHASE: dict[str, Callable[[Bench], None]] = {"noise": noise, "admin": admin, "memory": memory}
