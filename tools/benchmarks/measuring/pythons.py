"""Virtual environments of the application on other versions of Python."""

import hashlib
import subprocess
from pathlib import Path

from tools.benchmarks.measuring.options import say
from tools.benchmarks.servers import ROOT

VERSION = "import platform; print(platform.python_version())"


def version_of(interpreter: Path) -> str:
    """As 3.12.1; nothing where it does not run."""
    try:
        done = subprocess.run([interpreter, "-c", VERSION], capture_output=True, text=True)  # noqa: S603
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def environment_on(interpreter: Path, version: str, requirements: Path) -> Path | None:
    """A folder with what `requirements` pin, kept for the next run; None where that cannot be installed."""
    folder = ROOT / f".venv-bench-{'.'.join(version.split('.')[:2])}"
    mark = folder / ".installed"
    wanted = f"{version} {hashlib.sha256(requirements.read_bytes()).hexdigest()}"
    if mark.exists() and mark.read_text() == wanted:
        return folder
    say(f"Installing what the server needs on Python {version} ...")
    # Wheels alone: what has to be compiled first is nothing that people install.
    pip = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--require-hashes"]
    for command in (
        [str(interpreter), "-m", "venv", "--clear", str(folder)],
        [str(folder / "bin" / "python"), *pip, "--only-binary", ":all:", "-r", str(requirements)],
    ):
        done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            reasons = [line for line in done.stderr.splitlines() if line.startswith(("ERROR", "Error"))]
            say(f"  left out: {' '.join(reasons) or done.stderr[-300:] or done.stdout[-300:]}")
            return None
    mark.write_text(wanted)
    return folder


def further_pythons(interpreters: list[Path], *, besides: str, requirements: Path) -> dict[str, Path]:
    """Environments by version, of those that are another version than `besides` and can be had."""
    found: dict[str, Path] = {}
    for interpreter in interpreters:
        version = version_of(interpreter)
        if not version:
            say(f"{interpreter} does not run: left out")
        elif version != besides and version not in found:
            folder = environment_on(interpreter, version, requirements)
            if folder is not None:
                found[version] = folder
    return found
