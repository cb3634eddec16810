"""What the tests of the doctor's checks share."""

from operations.maintenance.doctor.findings import Finding, Level

OK, SKIPPED, WARNING, ERROR = Level.OK, Level.SKIPPED, Level.WARNING, Level.ERROR
LOCAL = ["localhost", "127.0.0.1", "[::1]"]
PUBLIC = ["chat.example.org", *LOCAL]
STRONG = "Zk3v9QpW7nR2xT5yB8dF1gH4jL6mS0aC-uE_iO"
OTHER = "9aXc2Vb7Nm4Qw1Er8Ty5Ui0Op3As6Df_GhJkLz"


def check(finding: Finding, level: Level, words: str = "") -> None:
    assert finding.level is level, finding
    assert words in f"{finding.found} {finding.advice}"
    # Whatever is wrong comes with what to do.
    assert bool(finding.advice) == (level in {WARNING, ERROR})
