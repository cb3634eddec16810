"""`python -m tools.benchmarks.report`."""

import sys
from pathlib import Path

from tools.benchmarks.report.document import build_report

build_report(*map(Path, sys.argv[1:2]))
