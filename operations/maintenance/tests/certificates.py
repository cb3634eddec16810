import subprocess
from pathlib import Path


def make_certificate(folder: Path, *, days: int = 365, names: str = "localhost") -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    cert, key = folder / f"{names}-{days}.pem", folder / f"{names}-{days}.key"
    alternative = ",".join(f"DNS:{name}" for name in names.split(","))
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        "/CN=test",
    ]
    command += ["-addext", f"subjectAltName={alternative}", "-days", str(days)]
    command += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    key.chmod(0o600)
    return cert, key
