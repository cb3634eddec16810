"""`make drill`: checks that the files in deploy/ do what docs/operations.md says."""

import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from tools.drill.claims import ClaimFailed, section
from tools.drill.front import show_front, show_nobody_there, show_units
from tools.drill.instances import show_limits, show_rolling_restart, show_sessions, show_sudden_death
from tools.drill.load import make_clients
from tools.drill.stand import stand
from tools.drill.streams import show_streams
from tools.drill.unit import ROOT, StandError, manage
from tools.drill.upgrade import show_upgrade


def main() -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    server = os.environ.get("TEST_DATABASE_URL", "")
    if not server.startswith("postgresql://"):
        print("TEST_DATABASE_URL must name a PostgreSQL server; `make drill` sees to it.", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="aimessage-drill-") as name:
            _run(server, Path(name))
    except ClaimFailed as error:
        print(f"\n  FALSE  {error}", file=sys.stderr)
        return 1
    except (StandError, TimeoutError) as error:
        print(f"\nThe drill could not go on: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    section("All of it holds")
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(server: str, folder: Path) -> None:
    show_units(folder, ROOT)
    section("Two instances, PostgreSQL, nginx")
    with stand(server, "drill", ROOT, folder / "drill") as ours:
        manage(ROOT, ours.environment, "collectstatic", "--noinput", "--verbosity", "0")
        people = make_clients(ours)
        show_front(ours, people)
        show_sessions(ours)
        show_limits(ours)
        show_rolling_restart(ours, people)
        show_streams(ours, people)
        show_sudden_death(ours, people)
        show_nobody_there(ours)
    show_upgrade(server, folder)


if __name__ == "__main__":
    sys.exit(main())
