"""Where a request ends, however it comes in."""

import pytest
from gunicorn.config import Config
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from aimessage.server.framing import BODY, HEAD, MAX_HEAD, End, Phase, find_end

pytestmark = pytest.mark.once

MOST = 100
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
#: Whole requests.
WHOLE = {
    "no body": GET,
    "an empty line before it": b"\r\n" + GET,
    "a length": POST + b"Content-Length: 5\r\n\r\n12345",
    "a length in capitals": POST + b"CONTENT-LENGTH:5\r\n\r\n12345",
    "no length": POST + b"\r\n",
    "length 0": POST + b"Content-Length: 0\r\n\r\n",
    "the largest length": POST + b"Content-Length: 100\r\n\r\n" + b"x" * 100,
    "no chunk": CHUNKED + b"0\r\n\r\n",
    "chunks": CHUNKED + b"3\r\n123\r\n0a\r\n" + b"\r\n0\r\n\r\n678" + b"\r\n0\r\n\r\n",
    "a chunk with an extension": CHUNKED + b'3;name="value"\r\n123\r\n0\r\n\r\n',
    "trailers": CHUNKED + b"3\r\n123\r\n0\r\nX-Sum: 7\r\nX-More: 8\r\n\r\n",
    "the largest chunk": CHUNKED + b"64\r\n" + b"x" * 100 + b"\r\n0\r\n\r\n",
    "many chunks": CHUNKED + b"1\r\nx\r\n" * 100 + b"0\r\n\r\n",
    "codings": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n3\r\n123\r\n0\r\n\r\n",
}
#: What gunicorn or the application refuses, as soon as this much of it is there.
REFUSED = {
    "a line of one letter": b"X\r\n",
    "no HTTP": b"NONSENSE\r\n",
    "a bare line feed": b"GET / HTTP/1.1\n",
    "another version": b"GET / HTTP/2.0\r\n",
    "two empty lines": b"\r\n\r\n",
    "a long head": b"GET / HTTP/1.1\r\nX-Long: " + b"x" * MAX_HEAD,
    "a long request line": b"GET /" + b"x" * MAX_HEAD,
    "a length over the most": POST + b"Content-Length: 101\r\n\r\n",
    "a chunk over the most": CHUNKED + b"65\r\n" + b"x" * 101,
    "a chunk far over the most": CHUNKED + b"ffffffffffffffffff\r\n" + b"x" * 101,
    "chunks over the most": CHUNKED + b"32\r\n" + b"x" * 50 + b"\r\n33\r\n" + b"x" * 51,
    "a chunk without a size": CHUNKED + b"\r\n",
    "a size that is no number": CHUNKED + b"zz\r\n",
    "a size below 0": CHUNKED + b"-2\r\n",
    "a long line before a chunk": CHUNKED + b"3;" + b"x" * 8190,
    "long trailers": CHUNKED + b"0\r\nX-Long: " + b"x" * 8190,
    "chunks of much extension": CHUNKED + (b"1;" + b"x" * 8000 + b"\r\nx\r\n") * 9,
}


def feed(data: bytes, step: int) -> tuple[End | None, list[Phase], int]:
    """Where a request ends that comes `step` bytes at a time, what it waited for, how much it needed."""
    received = bytearray()
    waiting = find_end(received, MOST)
    phases: list[Phase] = []
    for at in range(0, len(data), step):
        received += data[at : at + step]
        try:
            phases.append(next(waiting))
        except StopIteration as found:
            return found.value, phases, len(received)
    return None, phases, len(received)


@pytest.mark.parametrize("step", [1, 2, 7, 10**6])
@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
def test_a_request_ends_where_it_does_however_it_comes(data: bytes, step: int) -> None:
    end, phases, _ = feed(data + GET, step)

    assert end == End(len(data), complete=True)
    assert set(phases) <= {HEAD, BODY}
    # And it is not taken for whole before.
    assert feed(data[:-1], step)[0] is None


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
def test_gunicorn_finds_the_same_end(data: bytes) -> None:
    request = Request(Config(), unreader := IterUnreader([data + GET]), ("192.0.2.1", 1))
    request.body.read()

    assert unreader.read() == GET


@pytest.mark.parametrize("step", [1, 10**6])
@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_ends_at_once(data: bytes, step: int) -> None:
    end, _, needed = feed(data + b"x" * 10_000, step)

    assert end is not None
    assert not end.complete
    if step == 1:
        assert needed <= len(data) + 1


def test_it_says_what_it_waits_for() -> None:
    assert feed(b"GET / HTTP/1.1\r\nHost", 10**6)[1] == [HEAD]
    assert feed(POST + b"Content-Length: 5\r\n\r\n", 10**6)[1] == [BODY]
    assert feed(CHUNKED + b"5\r\n12", 10**6)[1] == [BODY]
