"""Tokens as an attacker would make them, from one that is good: a table of attacks by name."""

import base64
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings

FOREIGN = "an attacker's own key, long enough for any HMAC: 0123456789abcdefghijklmnopqrstuvwxyz"
PUBLIC = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34Gkx\n-----END PUBLIC KEY-----\n"
#: Bytes of a signature by each algorithm that verifies with a public key.
SIGNATURES = dict.fromkeys(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], 256)
SIGNATURES |= {"ES256": 64, "ES384": 96, "ES512": 132, "ES256K": 64, "EdDSA": 64}
CLAIMS = ["sub", "username", "sid", "type", "jti", "iat", "exp", "iss", "aud"]


def encoded(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Good:
    """A live token, and the means to make others like it."""

    token: str
    #: Claims of tokens that are good in themselves and belong to somebody else, by what is wrong with them.
    elsewhere: dict[str, dict[str, Any]]
    #: The other token of the pair.
    sibling: str

    def __post_init__(self) -> None:
        self.head, self.body, self.signature = self.token.split(".")
        self.payload: dict[str, Any] = json.loads(base64.urlsafe_b64decode(self.body + "=="))

    def sign(
        self,
        payload: Any = None,
        *,
        key: str | None = None,
        hashed: str = "sha256",
        alg: Any = "HS256",
        **header: Any,
    ) -> str:
        """Signed by that key, or the server's own."""
        text = f"{encoded({'alg': alg, 'typ': 'JWT', **header})}.{encoded(payload or self.payload)}"
        secret = settings.JWT_KEYS[0] if key is None else key
        return f"{text}.{encoded(hmac.digest(secret.encode(), text.encode(), hashed))}"

    def headed(self, header: Any, signature: bytes | None = None) -> str:
        """The token with another header, and with its old signature unless another is given."""
        given = self.signature if signature is None else encoded(signature)
        return f"{encoded(header)}.{self.body}.{given}"

    def edited(self, **claims: Any) -> str:
        """With other claims under the old signature."""
        return f"{self.head}.{encoded({**self.payload, **claims})}.{self.signature}"

    def having(self, **claims: Any) -> str:
        """With other claims, signed as the server does."""
        return self.sign({**self.payload, **claims})

    def lacking(self, claim: str) -> str:
        return self.sign({name: value for name, value in self.payload.items() if name != claim})

    def spelled(self, claim: str, text: str) -> str:
        """With a claim that the JSON text has as `text`, which no JSON writer might; signed."""
        rest = json.dumps({name: value for name, value in self.payload.items() if name != claim})
        return self.sign(f'{rest[:-1]}, "{claim}": {text}}}'.encode())


Attack = Callable[[Good], str]


def attacks() -> dict[str, dict[str, Attack]]:
    """By group and name."""
    groups = [_algorithms, _keys, _headers, _edits, _claims, _times, _owners, _shapes]
    return {group.__name__.strip("_"): dict(group()) for group in groups}


def _algorithms() -> Iterator[tuple[str, Attack]]:
    for name in ("none", "None", "NONE", "nOnE", "none ", "", "hs256", "HS256 ", "HMAC", None, False, 0, {}):
        header = {"alg": name, "typ": "JWT"}
        yield f"alg {name!r} with an empty signature", lambda good, h=header: good.headed(h, b"")
        yield f"alg {name!r} with the old signature", lambda good, h=header: good.headed(h)
        yield f"alg {name!r} signed with the own key", lambda good, name=name: good.sign(alg=name)
    yield "alg none without the last dot", lambda good: f"{encoded({'alg': 'none'})}.{good.body}"
    yield "alg in a list", lambda good: good.sign(alg=["HS256"])
    yield "no alg", lambda good: good.headed({"typ": "JWT"})
    yield "an empty header", lambda good: good.headed({})
    for name in ("HS384", "HS512"):
        hashed = name.replace("HS", "sha")
        yield f"{name} with the own key", lambda good, n=name, h=hashed: good.sign(alg=n, hashed=h)
        yield (
            f"{name} with a foreign key",
            lambda good, n=name, h=hashed: good.sign(alg=n, hashed=h, key=FOREIGN),
        )
        yield f"{name} in the header alone", lambda good, n=name: good.sign(alg=n)
        yield f"{name} in the signature alone", lambda good, h=hashed: good.sign(hashed=h)
    for name, length in SIGNATURES.items():
        header = {"alg": name, "typ": "JWT"}
        yield (
            f"{name} with a foreign key",
            lambda good, h=header, n=length: good.headed(h, secrets.token_bytes(n)),
        )
        yield f"{name} of zeros", lambda good, h=header, n=length: good.headed(h, bytes(n))
        # The confusion: what one party holds for a public key is the other's secret of an HMAC.
        yield f"{name} as an HMAC with the own key", lambda good, n=name: good.sign(alg=n)
        yield f"{name} as an HMAC with a public key", lambda good, n=name: good.sign(alg=n, key=PUBLIC)
    yield "an HMAC with a public key", lambda good: good.sign(key=PUBLIC)


def _keys() -> Iterator[tuple[str, Attack]]:
    guesses = {
        "foreign": FOREIGN,
        "empty": "",
        "blank": " ",
        "NUL": "\0",
        "zeros": "\0" * 64,
        "guessed": "secret",
        "algorithm's": "HS256",
        "issuer's": "aimessage",
    }
    for name, key in guesses.items():
        yield f"{name} key", lambda good, key=key: good.sign(key=key)
    yield "cut key", lambda good: good.sign(key=settings.JWT_KEYS[0][:-1])
    yield "lengthened key", lambda good: good.sign(key=settings.JWT_KEYS[0] + "x")
    yield "key in capitals", lambda good: good.sign(key=settings.JWT_KEYS[0].swapcase())
    yield "key read backwards", lambda good: good.sign(key=settings.JWT_KEYS[0][::-1])
    yield "the session for a key", lambda good: good.sign(key=good.payload["sid"])
    yield "the token for a key", lambda good: good.sign(key=good.token)


def _headers() -> Iterator[tuple[str, Attack]]:
    octets = {"kty": "oct", "alg": "HS256", "k": encoded(FOREIGN.encode())}
    offered = {
        "jku": "http://127.0.0.1:9/keys.json",
        "jwk": octets,
        "jwks": {"keys": [octets]},
        "x5u": "http://127.0.0.1:9/cert.pem",
        "x5c": ["MIIBIjANBgkq"],
        "x5t": "x",
        "k": FOREIGN,
    }
    for name, value in offered.items():
        yield f"{name} of a foreign key", lambda good, n=name, v=value: good.sign(key=FOREIGN, **{n: v})
        yield (
            f"{name} of a foreign key, nobody's signature",
            lambda good, n=name, v=value: good.headed({"alg": "HS256", n: v}, b""),
        )
    for name in ("../../../../dev/null", "/dev/null", "0", "", "' UNION SELECT '' --", "|true", "\0"):
        yield f"kid {name!r} of an empty key", lambda good, n=name: good.sign(key="", kid=n)
        yield f"kid {name!r} of a foreign key", lambda good, n=name: good.sign(key=FOREIGN, kid=n)
    for name in (7, None, ["x"], {"x": 1}):
        yield f"kid {name!r}", lambda good, n=name: good.sign(key=FOREIGN, kid=n)
    # RFC 7515, 4.1.11: a critical header that the reader does not know is refused, with a good signature too.
    yield "crit that nobody knows", lambda good: good.sign(crit=["x"], x=1)
    yield "crit of what is not there", lambda good: good.sign(crit=["exp"])
    yield "empty crit", lambda good: good.sign(crit=[])
    yield "crit of no list", lambda good: good.sign(crit="b64")
    yield "b64 false", lambda good: good.sign(b64=False)
    yield "critical b64 false", lambda good: good.sign(b64=False, crit=["b64"])
    yield "critical b64 false without a payload", lambda good: _detached(good)
    yield "compressed", lambda good: good.sign(key=FOREIGN, zip="DEF")


def _detached(good: Good) -> str:
    header, _, signature = good.sign(b64=False, crit=["b64"]).split(".")
    return f"{header}..{signature}"


def _edits() -> Iterator[tuple[str, Attack]]:
    for claim in CLAIMS:
        yield f"{claim} edited", lambda good, c=claim: good.edited(**{c: _other(good.payload[c])})
        yield f"{claim} edited away", lambda good, c=claim: good.edited(**{c: None})
        yield (
            f"{claim} twice, the old signature",
            lambda good, c=claim: f"{good.head}.{encoded(_twice(good, c))}.{good.signature}",
        )
    yield "a claim more", lambda good: good.edited(is_superuser=True)
    yield "an empty payload", lambda good: f"{good.head}.{encoded({})}.{good.signature}"
    yield (
        "the payload written otherwise",
        lambda good: f"{good.head}.{encoded(json.dumps(good.payload, indent=1).encode())}.{good.signature}",
    )
    yield "the sibling's payload", lambda good: f"{good.head}.{good.sibling.split('.')[1]}.{good.signature}"
    yield "the sibling's signature", lambda good: f"{good.head}.{good.body}.{good.sibling.split('.')[2]}"
    yield "one bit of the signature", lambda good: f"{good.head}.{good.body}.{_flipped(good.signature)}"
    yield "half of the signature", lambda good: f"{good.head}.{good.body}.{good.signature[:20]}"
    yield "no signature", lambda good: f"{good.head}.{good.body}."
    yield "signature twice", lambda good: f"{good.head}.{good.body}.{good.signature * 2}"


def _other(value: Any) -> Any:
    return value + 3600 if isinstance(value, int) else f"{value}1"


def _twice(good: Good, claim: str) -> bytes:
    other = json.dumps({claim: _other(good.payload[claim])})
    return f"{json.dumps(good.payload)[:-1]}, {other[1:]}".encode()


def _flipped(text: str) -> str:
    return ("B" if text[0] == "A" else "A") + text[1:]


def _claims() -> Iterator[tuple[str, Attack]]:
    """Claims that are missing or of the wrong kind, under a good signature."""
    required = [claim for claim in CLAIMS if claim != "username"]
    for claim in required:
        yield f"no {claim}", lambda good, c=claim: good.lacking(c)
        wrong = ["null", "true", "[]", "{}", '""', '" "', r'"\u0000"', r'"a\u0000b"', r'"\ud800"', "-1"]
        wrong += [
            "0.5",
            "1e999",
            "-1e999",
            "NaN",
            "1" + "0" * 4000,
            '["aimessage"]' if claim != "aud" else "7",
        ]
        wrong += ['"' + "x" * 9000 + '"', '"\u0661"', r'"\u202e"', '{"$ne": null}', "[" * 500 + "]" * 500]
        for text in wrong:
            yield f"{claim} {text[:24]}", lambda good, c=claim, t=text: good.spelled(c, t)
        yield f"{claim} twice, the second wrong", lambda good, c=claim: good.sign(_twice_wrong(good, c))
    for claim in ("iss", "aud", "type"):
        for text in ("elsewhere", "AIMESSAGE", "aimessage ", "access,refresh"):
            yield f"{claim} {text!r}", lambda good, c=claim, t=text: good.having(**{c: t})
    yield "aud of others", lambda good: good.having(aud=["elsewhere"])
    yield "type of the sibling", lambda good: good.having(type=_sibling_type(good))
    yield "type in capitals", lambda good: good.having(type=good.payload["type"].upper())
    yield "sub of a float", lambda good: good.having(sub=f"{good.payload['sub']}.0")
    yield "sub with a sign", lambda good: good.having(sub=f"+{good.payload['sub']}")
    yield "sub with a blank", lambda good: good.having(sub=f"{good.payload['sub']} ")
    yield "sub with a zero", lambda good: good.having(sub=f"0{good.payload['sub']}")
    yield "sub a number", lambda good: good.having(sub=int(good.payload["sub"]))
    yield "sub in other digits", lambda good: good.having(sub=_arabic(good.payload["sub"]))
    yield "sub past 63 bits", lambda good: good.having(sub=str(2**63))
    yield "sub past 64 bits", lambda good: good.having(sub="9" * 25)
    yield "sub of 5000 digits", lambda good: good.having(sub="9" * 5000)
    yield "sub with a NUL", lambda good: good.having(sub=f"{good.payload['sub']}\0")
    yield "sid in capitals", lambda good: good.having(sid="A" * 64)
    yield "sid cut", lambda good: good.having(sid=good.payload["sid"][:-1])
    yield "sid with a wildcard", lambda good: good.having(sid=good.payload["sid"][:-1] + "%")
    yield "sid with a line feed", lambda good: good.having(sid=good.payload["sid"] + "\n")
    for text in ("null", "[]", '"x"', "1", "{", "", "\ufeff{}"):
        yield f"payload {text!r}", lambda good, t=text: good.sign(t.encode() or b" ")
    yield "payload that is no UTF-8", lambda good: good.sign(b'{"sub": "\xff"}')
    yield "payload nested without end", lambda good: good.sign(b"[" * 50_000)


def _twice_wrong(good: Good, claim: str) -> bytes:
    # Where two claims have one name the last one counts (RFC 7519, 4).
    wrong = "-1" if claim in ("iat", "exp") else '""'
    return f'{json.dumps(good.payload)[:-1]}, "{claim}": {wrong}}}'.encode()


def _sibling_type(good: Good) -> str:
    return "refresh" if good.payload["type"] == "access" else "access"


def _arabic(digits: str) -> str:
    return digits.translate({ord("0") + n: 0x660 + n for n in range(10)})


def _times() -> Iterator[tuple[str, Attack]]:
    yield "expired a second ago", lambda good: good.having(exp=int(time.time()) - 1)
    yield "expired now", lambda good: good.having(exp=int(time.time()))
    yield "expired long ago", lambda good: good.having(iat=0, exp=1)
    yield "exp as text", lambda good: good.having(exp=str(good.payload["exp"]))
    yield "exp as a float", lambda good: good.having(exp=good.payload["exp"] + 0.5)
    yield "exp as a date", lambda good: good.having(exp="2999-01-01T00:00:00Z")
    yield "exp in milliseconds", lambda good: good.having(exp=good.payload["exp"] * 1000)
    yield "exp past every calendar", lambda good: good.having(exp=10**15)
    yield "exp past 64 bits", lambda good: good.having(exp=2**64)
    yield "iat in an hour", lambda good: good.having(iat=int(time.time()) + 3600)
    yield "iat as text", lambda good: good.having(iat=str(good.payload["iat"]))
    yield "nbf in an hour", lambda good: good.having(nbf=int(time.time()) + 3600)
    for value in ("x", None, [], {}, 10**4000, float("inf")):
        yield f"nbf {str(value)[:20]!r}", lambda good, v=value: good.having(nbf=v)


def _owners() -> Iterator[tuple[str, Attack]]:
    for what in ("another's session", "another user", "a disabled user", "a deleted user", "nobody",
                 "an ended session", "an expired session", "no session"):  # fmt: skip
        yield f"of {what}", lambda good, what=what: good.having(**good.elsewhere[what])


def _shapes() -> Iterator[tuple[str, Attack]]:
    yield "the other kind", lambda good: good.sibling
    yield "two parts", lambda good: f"{good.head}.{good.body}"
    yield "one part", lambda good: good.head
    yield "four parts", lambda good: f"{good.token}.{good.signature}"
    yield "five parts, as JWE has", lambda good: f"{encoded({'alg': 'dir', 'enc': 'A256GCM'})}..aa.bb.cc"
    yield "five parts of a good one", lambda good: f"{good.token}.{good.body}.{good.signature}"
    yield (
        "as a JSON of its parts",
        lambda good: json.dumps({"protected": good.head, "payload": good.body, "signature": good.signature}),
    )
    yield "in quotes", lambda good: f'"{good.token}"'
    yield "in brackets", lambda good: f"<{good.token}>"
    yield "twice", lambda good: f"{good.token},{good.token}"
    yield "in base64", lambda good: encoded(good.token.encode())
    yield "with a scheme more", lambda good: f"Bearer {good.token}"
    yield "no text but dots", lambda good: ".."
    yield "the swapped halves", lambda good: f"{good.body}.{good.head}.{good.signature}"
    for name, text in {
        "blank": " ",
        "tab": "\t",
        "line feed": "\n",
        "NUL": "\0",
        "no-break": "\u00a0",
    }.items():
        yield f"a {name} within", lambda good, t=text: f"{good.head}.{t}{good.body}.{good.signature}"
        yield (
            f"a {name} in a part",
            lambda good, t=text: f"{good.head[:9]}{t}{good.head[9:]}.{good.body}.{good.signature}",
        )
    for name, text in {"=": "=", "==": "==", "====": "====", "%3D": "%3D"}.items():
        yield f"{name} after the signature", lambda good, t=text: f"{good.token}{t}"
        yield f"{name} after the payload", lambda good, t=text: f"{good.head}.{good.body}{t}.{good.signature}"
        yield f"{name} after the header", lambda good, t=text: f"{good.head}{t}.{good.body}.{good.signature}"
    yield (
        "plain base64",
        lambda good: (
            f"{good.head}.{good.body}.{good.signature}".translate({ord("-"): "+", ord("_"): "/"}) + "+"
        ),
    )
    for name, text in {
        "Latin": "\u00e9",
        "Chinese": "\u4e2d",
        "an emoji": "\U0001f511",
        "fullwidth": "\uff41",
    }.items():
        yield f"{name} after it", lambda good, t=text: good.token + t
        yield f"{name} alone", lambda good, t=text: f"{t}.{t}.{t}"
    yield "100 KB of nothing", lambda good: "x" * 100_000
    yield "100 KB of dots", lambda good: "." * 100_000
    yield "100 KB of a header", lambda good: f"{'A' * 100_000}.{good.body}.{good.signature}"
    yield "100 KB of a payload", lambda good: f"{good.head}.{'A' * 100_000}.{good.signature}"
    yield "100 KB of a signature", lambda good: f"{good.head}.{good.body}.{'A' * 100_000}"
    yield "100 KB of padding", lambda good: good.token + "=" * 100_000
    yield "a header nested without end", lambda good: f"{encoded(b'[' * 50_000)}.{good.body}.{good.signature}"
    yield "a header of a huge number", lambda good: f"{encoded(b'1' * 5000)}.{good.body}.{good.signature}"
