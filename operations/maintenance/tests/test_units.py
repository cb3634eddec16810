"""The timers in deploy/systemd: systemd understands them, and they run what there is."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

UNITS = Path(__file__).resolve().parents[3] / "deploy" / "systemd"
NAMES = ["aimessage-sweep", "aimessage-backup"]


def value(unit: Path, key: str) -> str:
    (found,) = [line for line in unit.read_text().splitlines() if line.startswith(f"{key}=")]
    return found.partition("=")[2]


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_a_command_that_takes_these_arguments(name: str) -> None:
    python, script, command, *arguments = shlex.split(value(UNITS / f"{name}.service", "ExecStart"))

    assert (python, script) == ("/srv/aimessage/.venv/bin/python", "manage.py")
    parser = load_command_class(get_commands()[command], command).create_parser(script, command)
    parser.parse_args(arguments)


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_that_was_off_catches_up(name: str) -> None:
    assert value(UNITS / f"{name}.timer", "Persistent") == "true"
    assert value(UNITS / f"{name}.timer", "RandomizedDelaySec")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
@pytest.mark.parametrize("name", NAMES)
def test_systemd_understands_it(tmp_path: Path, name: str) -> None:
    for kind in ("timer", "service"):
        text = (UNITS / f"{name}.{kind}").read_text()
        # The one thing that only the server has.
        (tmp_path / f"{name}.{kind}").write_text(text.replace("/srv/aimessage/.venv/bin/python", "/bin/true"))
    units = [str(tmp_path / f"{name}.{kind}") for kind in ("timer", "service")]

    verified = subprocess.run(  # noqa: S603  our own files
        [shutil.which("systemd-analyze") or "", "verify", *units], capture_output=True, text=True, timeout=60
    )

    assert verified.returncode == 0, verified.stderr
    # It says nothing of ours; other units of the machine are none of our business.
    assert name not in verified.stderr
