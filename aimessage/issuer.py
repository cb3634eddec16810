"""The key with which the operator's own backend signs assertions about its users (docs/own-users.md)."""

from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.core.exceptions import ImproperlyConfigured

from aimessage.environment import read_text

#: HS256 takes a key of at least its hash's 256 bits (RFC 7518, section 3.2).
MIN_SECRET_LENGTH = 32
#: RFC 7518, section 3.3.
MIN_RSA_BITS = 2048
#: Bytes of a PEM file; a larger file is something else.
LARGEST_FILE = 64 * 1024


@dataclass(frozen=True)
class IssuerKey:
    """A key that verifies assertions, and the only algorithm that is accepted with it."""

    algorithm: str
    key: str | rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey = field(repr=False)


def read_issuer_key(name: str, base: Path, *, ours: list[str]) -> IssuerKey | None:
    """The variable contains a secret for HS256, or the path of a PEM file with a public key. None if empty.

    Raises ImproperlyConfigured for a weak secret, for one of `ours`, and for a file without a public key. The
    message does not quote a secret.
    """
    raw = read_text(name).strip()
    if not raw:
        return None
    if "-----BEGIN" in raw:
        raise ImproperlyConfigured(f"{name} takes a secret or the path of a PEM file, not the key itself.")
    if _is_path(raw, base):
        return _read_file(name, base / raw)
    if len(raw) < MIN_SECRET_LENGTH or len(set(raw)) < 5:
        raise ImproperlyConfigured(
            f"{name} must be a random text of at least {MIN_SECRET_LENGTH} characters, or the path of a PEM"
            " file that exists."
        )
    if raw in ours:
        raise ImproperlyConfigured(f"{name} must not be a key that this server signs with itself.")
    return IssuerKey("HS256", raw)


def _is_path(raw: str, base: Path) -> bool:
    # The path of a missing file must not be accepted as a secret, since it can be guessed.
    if raw.startswith(("/", "./", "../", "~")) or raw.lower().endswith((".pem", ".pub", ".key", ".crt")):
        return True
    try:
        return (base / raw).is_file()
    except (OSError, ValueError):  # not a possible file name
        return False


def _read_file(name: str, path: Path) -> IssuerKey:
    try:
        with open(path, "rb") as file:
            pem = file.read(LARGEST_FILE)
    except OSError as error:
        raise ImproperlyConfigured(f"{name}={path} cannot be read: {error.strerror}.") from None
    if b"PRIVATE KEY-----" in pem:
        raise ImproperlyConfigured(f"{name}={path} holds a private key. The public one belongs here.")
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ImproperlyConfigured(f"{name}={path} holds no public key in PEM.") from None
    match key:
        case rsa.RSAPublicKey() if key.key_size >= MIN_RSA_BITS:
            return IssuerKey("RS256", key)
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, ec.SECP256R1):
            return IssuerKey("ES256", key)
        case ed25519.Ed25519PublicKey():
            return IssuerKey("EdDSA", key)
    raise ImproperlyConfigured(
        f"{name}={path} must hold an RSA key of at least {MIN_RSA_BITS} bits, an EC key on P-256, or an"
        " Ed25519 key."
    )
