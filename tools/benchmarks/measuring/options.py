"""The options of a benchmark."""

from dataclasses import dataclass
from pathlib import Path

from tools.benchmarks.cases import CASES
from tools.benchmarks.servers import StartError

SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000, "10m": 10_000_000}
#: Phases measure something other than requests per second.
PHASES = ("noise", "admin", "memory")
RESULTS = Path(__file__).parents[1] / "results"


@dataclass
class Options:
    size: str = "1m"
    app: Path = Path()
    only: tuple[str, ...] = ()
    quick: bool = False
    repetitions: int = 5
    seconds: int = 1
    #: For `compare`.
    rounds: int = 20
    connections: tuple[int, ...] = (8, 16)
    port: int = 8180
    postgresql_port: int = 54380
    #: Keeps the database for the next run; by default it is deleted.
    folder: Path | None = None
    results: Path = RESULTS

    def __post_init__(self) -> None:
        unknown = set(self.only) - {*CASES, *PHASES}
        if unknown:
            known = ", ".join([*CASES, *PHASES])
            raise StartError(f"ONLY={','.join(sorted(unknown))}: there is no such case. There are: {known}")
        if self.quick:
            self.repetitions, self.connections = 2, (8,)

    def wants(self, name: str) -> bool:
        return not self.only or name in self.only


def say(text: str) -> None:
    print(text, flush=True)
