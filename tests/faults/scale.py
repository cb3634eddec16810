"""How much is tried: what `make faults` does, or with QUICK=1 a tenth and less of it, as in every CI run.

A single figure is set by its name, as in `FAULT_WORKER_KILLS=10 make faults`.
"""

import os

QUICK = os.environ.get("FAULT_QUICK") == "1"


def scale(name: str, full: int, quick: int) -> int:
    return int(os.environ.get(f"FAULT_{name}", quick if QUICK else full))


#: Workers of a server, unless its test says otherwise.
WORKERS = scale("WORKERS", 4, 2)
#: Acknowledged in each of the three runs with kills.
MESSAGES = scale("MESSAGES", 20_000, 600)
WORKER_KILLS = scale("WORKER_KILLS", 50, 4)
DATABASE_KILLS = scale("DATABASE_KILLS", 20, 2)
#: Questions to the assistant, and workers that are killed while they answer them.
QUESTIONS = scale("QUESTIONS", 90, 6)
ANSWERING_KILLS = scale("ANSWERING_KILLS", 48, 2)
#: Times that PostgreSQL is stopped, frozen and cut off.
OUTAGES = scale("OUTAGES", 5, 1)
#: Requests during reloads, and again during restarts, and how many of those there are at least.
REQUESTS = scale("REQUESTS", 10_000, 500)
RESTARTS = scale("RESTARTS", 20, 2)
#: Rounds of parallel refreshes.
ROUNDS = scale("ROUNDS", 100, 5)
#: Sessions that have a token replayed.
REPLAYS = scale("REPLAYS", 20, 2)
#: Rounds of logins around a logout everywhere.
LOGOUTS = scale("LOGOUTS", 10, 1)
#: Wrong passwords at once.
GUESSES = scale("GUESSES", 200, 40)
#: Logins timed, of each kind.
SAMPLES = scale("SAMPLES", 200, 10)
#: Walks along each list.
WALKS = scale("WALKS", 20, 2)
LOG_LINES = scale("LOG_LINES", 1_000_000, 60_000)
#: Seconds that each siege by slow peers lasts: longer than any of them is given.
SIEGE = scale("SIEGE", 40, 6)

#: Seconds that each client of a load rests after an answer. In CI it leaves the machine to others meanwhile.
REST = 0.1 if QUICK else 0.0
#: Seconds until a client has its 503, and until the service is back once the database is. In CI other things
#: run on the same machine, and what is looked for there is a request that hangs.
PROMPT = 25.0 if QUICK else 5.0
#: Seconds that a request may take for which nothing has to be waited.
AT_ONCE = 1.0 if QUICK else 0.1
#: How far medians of times may be apart.
TOLERANCE = 1.0 if QUICK else 0.1
