"""Runs tests upon mutants, each in a fork of a process that has Django, a database and all tests loaded.

Which tests: those that run the mutated lines, as coverage tells, those that are about that module first.
What a mutant survives within BUDGET it counts as having survived, though a test left out might have told.
"""

import ast
import gc
import json
import os
import pickle
import resource
import signal
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from time import process_time
from typing import Any

import coverage
import pytest
from _pytest.runner import runtestprotocol

from tools.mutants.applying import Misapplied, apply, live_functions, module_of
from tools.mutants.databases import Databases
from tools.mutants.making import Mutant

#: Seconds of a processor, as tests take without a mutant, that each mutant is put to. On a clock, other load
#: would make the tests longer and so fewer, and survivors of mutants that the rest would have noticed.
BUDGET = 10.0
#: A test that takes longer waits for something, or is about load.
SLOW_TEST = 3.0
#: Seconds after which a mutant hangs, beyond several times what its tests take.
PATIENCE = 20
#: Bytes: a mutant that allocates without end must not take the machine with it.
MEMORY = 4 * 2**30

Outcome = tuple[str, str]  # what became of the mutant, and which test told
KILLED, SURVIVED = "killed", "survived"
#: In place of the test.
HUNG = "by hanging or dying"


@dataclass
class Known:
    """What the tests do without a mutant."""

    #: test → seconds of a processor
    work: dict[str, float] = field(default_factory=dict)
    #: test → seconds on the clock
    seconds: dict[str, float] = field(default_factory=dict)
    #: path → line → names of tests
    covering: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


class Mutating:
    """A pytest plugin, which runs mutants where pytest would run tests."""

    def __init__(
        self,
        mutants: list[Mutant],
        tell: Callable[[int, Mutant, Outcome], None],
        *,
        jobs: int,
        control: bool,
    ) -> None:
        self.mutants = mutants
        self.tell = tell
        self.jobs = jobs
        #: Everything as always, but that no mutant is put in place.
        self.control = control
        self.outcomes: dict[int, Outcome] = {}
        self.known = Known()
        self.items: dict[str, pytest.Item] = {}
        self.killers: defaultdict[tuple[str, str | None], Counter[str]] = defaultdict(Counter)
        self.databases: Databases

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("some tests could not be collected")
        warm, *items = session.items
        for path in {mutant.path for mutant in self.mutants}:
            module_of(path)
        self.items = {item.nodeid: item for item in items}
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        (*_, report) = self._run(warm)
        if not report.passed:
            raise session.Interrupted(f"the database was not made: {report.longrepr}")
        self.databases = Databases(session.config)
        self._watch_tests(items)
        if self.known.failed:
            raise session.Interrupted(f"tests fail without any mutant: {self.known.failed[:5]}")
        self._try_mutants()
        return True

    def _run(self, item: pytest.Item) -> list[pytest.TestReport]:
        # What is told to follow is the session, which so keeps what is its own: the database.
        return runtestprotocol(item, nextitem=item.session, log=False)  # type: ignore[arg-type]

    # --- Without a mutant ---

    def _watch_tests(self, items: list[pytest.Item]) -> None:
        """Times the tests, and finds which lines each runs, in as many processes as there are jobs."""
        with tempfile.TemporaryDirectory() as folder:
            running = []
            for job in range(self.jobs):
                # By turns: neighbours are about the same, and equally slow.
                own = items[job :: self.jobs]
                out = Path(folder, str(job))
                self.databases.copy(job)
                running.append(_fork(partial(self._watch_into, out, own, job)))
            ended = [os.waitpid(pid, 0) for pid in running]
            for job in range(self.jobs):
                self.databases.drop(job)
            if any(status for _, status in ended):
                raise RuntimeError("The tests could not be watched.")
            for out in Path(folder).iterdir():
                part: Known = pickle.loads(out.read_bytes())  # noqa: S301
                self.known.work |= part.work
                self.known.seconds |= part.seconds
                self.known.failed += part.failed
                for path, lines in part.covering.items():
                    for line, names in lines.items():
                        self.known.covering.setdefault(path, {}).setdefault(line, set()).update(names)

    def _watch_into(self, out: Path, items: list[pytest.Item], job: int) -> None:
        self.databases.enter(job)
        out.write_bytes(pickle.dumps(self._watch(items)))

    def _watch(self, items: list[pytest.Item]) -> Known:
        known = Known()
        paths = sorted({mutant.path for mutant in self.mutants})
        watch = coverage.Coverage(data_file=None, config_file=False, include=paths)
        watch.start()
        for item in items:
            watch.switch_context(item.nodeid)
            before = process_time()
            reports = self._run(item)
            work = process_time() - before
            seconds = sum(report.duration for report in reports)
            if any(report.failed for report in reports):
                known.failed.append(item.nodeid)
            elif all(report.passed for report in reports) and seconds < SLOW_TEST:
                known.work[item.nodeid] = work
                known.seconds[item.nodeid] = seconds
        watch.stop()
        data = watch.get_data()
        for path in paths:
            by_line = data.contexts_by_lineno(os.path.abspath(path))
            known.covering[path] = {
                line: set(names) & known.seconds.keys() for line, names in by_line.items()
            }
        return known

    # --- With one ---

    def _try_mutants(self) -> None:
        live_functions()  # once for all forks
        gc.collect()
        gc.freeze()  # so that forks need not copy what the collector would touch
        waiting: Iterator[tuple[int, Mutant]] = iter(enumerate(self.mutants))
        running: dict[int, tuple[int, int, int]] = {}
        free = list(range(self.jobs))
        while True:
            while free and (following := next(waiting, None)):
                number, mutant = following
                tests = self._tests_for(mutant)
                job = free.pop()
                self.databases.copy(job)
                read, write = os.pipe()
                pid = _fork(partial(self._try, mutant, tests, write, job))
                os.close(write)
                running[pid] = number, read, job
            if not running:
                return
            pid, _ = os.wait()
            if pid not in running:
                continue
            number, read, job = running.pop(pid)
            self.databases.drop(job)
            free.append(job)
            with os.fdopen(read) as pipe:
                said = pipe.read()
            self._note(number, tuple(json.loads(said)) if said else (KILLED, HUNG))

    def _note(self, number: int, outcome: Outcome) -> None:
        what, by = outcome
        mutant = self.mutants[number]
        self.outcomes[number] = outcome
        if what == KILLED and by in self.items:
            self.killers[mutant.path, mutant.function][by] += 1
        self.tell(len(self.outcomes), mutant, outcome)

    def _tests_for(self, mutant: Mutant) -> list[pytest.Item]:
        lines = self.known.covering.get(mutant.path, {})
        on_lines = set().union(*(lines.get(line, ()) for line in mutant.lines))
        on_module = set().union(*lines.values())
        killers = [name for name, _ in self.killers[mutant.path, mutant.function].most_common(3)]
        # What runs once per process, as prepared statements are made, coverage ascribes to one test alone.
        others = (on_module | self._importing(mutant.path)) - on_lines
        names = [*killers, *self._ranked(mutant, on_lines), *self._ranked(mutant, others)]
        chosen, spent = [], 0.0
        for name in dict.fromkeys(names):
            spent += self.known.work[name]
            if spent > BUDGET and chosen:
                break
            chosen.append(name)
        return [self.items[name] for name in chosen]

    def _ranked(self, mutant: Mutant, names: set[str]) -> list[str]:
        """Tests that import the module first, then by turns those of each file; the closest first, and the
        quick before the slow, of which there is room for few."""
        closeness = self._closeness.get(mutant.path, {})
        worth = {name: closeness.get(name, 0) / max(self.known.work[name], 0.01) for name in names}
        importing = self._importing(mutant.path)
        taken: Counter[str] = Counter()
        rank = {}
        for name in sorted(names, key=lambda name: (-worth[name], name)):
            file = name.partition("::")[0]
            taken[file] += 1
            rank[name] = 0 if name in importing else taken[file]
        return sorted(rank, key=rank.__getitem__)

    def _importing(self, path: str) -> set[str]:
        """The tests whose file imports the module at `path`, or something of it."""
        module = module_of(path).__name__
        return {name for name in self.known.seconds if module in self._imports[name.partition("::")[0]]}

    @cached_property
    def _imports(self) -> dict[str, set[str]]:
        """file of tests → every module that it imports, and what could be one"""
        found: dict[str, set[str]] = {}
        for file in {name.partition("::")[0] for name in self.items}:
            tree = ast.walk(ast.parse(Path(file).read_text()))
            froms = [node for node in tree if isinstance(node, ast.ImportFrom)]
            found[file] = {str(node.module) for node in froms}
            found[file] |= {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
        return found

    @cached_property
    def _closeness(self) -> dict[str, dict[str, float]]:
        """path → test → which part of the watched lines that the test runs are of that path."""
        counts = {
            path: Counter(name for names in lines.values() for name in names)
            for path, lines in self.known.covering.items()
        }
        totals = sum(counts.values(), Counter())
        return {
            path: {name: count / totals[name] for name, count in of.items()} for path, of in counts.items()
        }

    def _try(self, mutant: Mutant, tests: list[pytest.Item], write: int, job: int) -> None:
        self.databases.enter(job)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.alarm(PATIENCE + int(5 * sum(self.known.seconds[test.nodeid] for test in tests)))
        outcome = self._outcome(mutant, tests)
        os.write(write, json.dumps(outcome).encode())

    def _outcome(self, mutant: Mutant, tests: list[pytest.Item]) -> Outcome:
        try:
            if not self.control:
                apply(mutant)
        except Misapplied as error:
            return SURVIVED, f"not applied: {error}"
        except Exception as error:
            return KILLED, f"at import: {error!r}"
        for test in tests:
            if any(report.failed for report in self._run(test)):
                return KILLED, test.nodeid
        return SURVIVED, f"{len(tests)} tests"


def _fork(work: Callable[[], Any]) -> int:
    """Does `work` in a copy of this process, silently; returns the copy's id."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    code = 1
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        work()
        code = 0
    finally:
        # What the first process has open, and would close on its way out, stays its own.
        os._exit(code)
