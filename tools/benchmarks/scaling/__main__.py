"""`python -m tools.benchmarks.scaling`; the package says which commands there are."""

import argparse
from collections.abc import Callable

from tools.benchmarks import scaling
from tools.benchmarks.scaling.partitions import partitions
from tools.benchmarks.scaling.pooler import pooler
from tools.benchmarks.scaling.replica import replica
from tools.benchmarks.scaling.storage import storage


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.benchmarks.scaling",
        description=scaling.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True)

    def command(run: Callable[[argparse.Namespace], None], *urls: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(run.__name__)
        sub.set_defaults(run=run)
        for url in urls:
            sub.add_argument(url)
        return sub

    through = command(pooler, "direct", "pooled")
    through.add_argument("--postmaster", type=int, required=True, help="process id, for its CPU time")
    through.add_argument("--pgbouncer", type=int, required=True, help="the same")
    through.add_argument("--folder", default="/tmp/scaling", help="for logs")  # noqa: S108
    through.add_argument("--port", type=int, default=8230)
    through.add_argument("--pairs", type=int, default=3)
    through.add_argument("--seconds", type=int, default=3)
    standby = command(replica, "primary", "replica")
    standby.add_argument("--commit", default="on", help="synchronous_commit of those who write")
    standby.add_argument("--writers", type=int, default=4)
    standby.add_argument("--patience", type=float, default=50, help="milliseconds, then the primary answers")
    standby.add_argument("--seconds", type=float, default=4)
    command(partitions, "url").add_argument("--keep", action="store_true", help="the layouts are there")
    command(storage, "url").add_argument("--messages", type=int, default=3000)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
