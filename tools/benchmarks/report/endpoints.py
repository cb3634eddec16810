"""The results of each case."""

from statistics import median

from tools.benchmarks.report.markdown import NONE, shown, table
from tools.benchmarks.results import Record, pick, ratios, spread
from tools.benchmarks.targets import SELECT


def cpu_millis(records: list[Record], who: str) -> str:
    if who == "client":
        spent = [(record["client_cpu"], record["requests"]) for record in records if "client_cpu" in record]
    else:
        spent = [(r["cpu"][who], r["requests"]) for r in records if who in r.get("cpu", {})]
    shares = [1000 * seconds / requests for seconds, requests in spent if requests]
    return f"{median(shares):.2f}" if shares else NONE


def case_section(records: list[Record]) -> list[str]:
    lines = []
    for case in dict.fromkeys(record["case"] for record in pick(records, kind="case")):
        own = pick(records, kind="case", case=case)
        rows = []
        for connections in sorted({record["connections"] for record in own}):
            for contender in dict.fromkeys(record["contender"] for record in own):
                runs = pick(own, contender=contender, connections=connections)
                against = spread(ratios(own, "rate", contender, SELECT, connections))
                rows.append(
                    [
                        str(connections),
                        contender,
                        shown(run["rate"] for run in runs),
                        str(against) if against and contender != SELECT else NONE,
                        shown((run["p50"] for run in runs), 2),
                        shown((run["p99"] for run in runs), 2),
                        " / ".join(cpu_millis(runs, who) for who in ("server", "database", "client")),
                    ]
                )
        head = ["connections", "contender", "requests/s", f"÷ {SELECT}", "p50 ms", "p99 ms"]
        lines += [f"### {own[0]['title']}", ""]
        lines += table([*head, "CPU ms a request: server / database / wrk"], rows)
    return lines
