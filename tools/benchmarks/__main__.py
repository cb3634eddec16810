"""`python -m tools.benchmarks run|growth|compare`; the Makefile's bench targets call it."""

import argparse
import signal
import sys
from pathlib import Path

from tools.benchmarks.load import LoadError
from tools.benchmarks.loading import SchemaError
from tools.benchmarks.measuring.compare import run_compare
from tools.benchmarks.measuring.growth import run_growth
from tools.benchmarks.measuring.options import RESULTS, SIZES, Options
from tools.benchmarks.measuring.run import run_benchmark
from tools.benchmarks.servers import ROOT, StartError
from tools.benchmarks.verify import DifferentAnswer


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.benchmarks", description=__doc__)
    parser.add_argument("what", choices=["run", "growth", "compare"])
    parser.add_argument("--size", default="1m", choices=SIZES)
    parser.add_argument("--sizes", default=",".join(SIZES), help="of the growth series")
    parser.add_argument("--app", type=Path, default=ROOT, help="another checkout to measure")
    parser.add_argument("--only", default="", help="cases and phases, comma-separated")
    parser.add_argument("--quick", action="store_true", help="two short repetitions at 8 connections")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1, help="of one run")
    parser.add_argument("--rounds", type=int, default=20, help="of `compare`")
    parser.add_argument("--profile", default="", help="`compare` prints profiles of this request instead")
    parser.add_argument("--port", type=int, default=8180, help="the first of twenty")
    parser.add_argument("--postgresql-port", type=int, default=54380)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the raw results go")
    parser.add_argument("--folder", type=Path, help="keeps the databases there for the next run")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    given = parse(arguments)
    options = Options(
        size=given.size,
        app=given.app,
        only=tuple(name for name in given.only.split(",") if name),
        quick=given.quick,
        repetitions=given.repetitions,
        seconds=given.seconds,
        rounds=given.rounds,
        port=given.port,
        postgresql_port=given.postgresql_port,
        folder=given.folder,
        results=given.results,
    )
    if given.what == "compare":
        run_compare(options, given.profile)
    elif given.what == "growth":
        run_growth(options, given.sizes.split(","))
    else:
        run_benchmark(options)


if __name__ == "__main__":
    # SIGTERM raises SystemExit, so that servers and database are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        main(sys.argv[1:])
    except (LoadError, SchemaError, StartError, DifferentAnswer) as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit(130)
