"""Checks nginx: TLS, HTTP/2, the /api/ prefix, limits, files, error bodies, and logs without secrets."""

import re
import socket
import ssl
import subprocess
from pathlib import Path
from uuid import uuid4

from tools.drill.claims import claim, section
from tools.drill.stand import Person, Stand
from tools.drill.unit import HOST, ROOT, Answer

KIB = 1024
MAX_BODY = 256 * KIB
LINK = re.compile(r'<([^>]+)>; rel="next"')


def show_front(stand: Stand, people: list[Person]) -> None:
    section("nginx as it is shipped")
    _show_tls(stand)
    _show_prefix(stand, people[0], people[1])
    _show_limits(stand, people[0])
    _show_files(stand)
    _show_ids_and_log(stand, people[0])


def _show_tls(stand: Stand) -> None:
    versions = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
    spoken = {version.name: _handshake(stand, version) for version in versions}
    claim(
        "TLS 1.2 and 1.3 and nothing older",
        spoken == {"TLSv1": False, "TLSv1_1": False, "TLSv1_2": True, "TLSv1_3": True},
        ", ".join(name for name, yes in spoken.items() if yes),
    )
    version = _curl(
        stand, f"{stand.url}/health", "--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"
    )
    claim("HTTP/2", version == "2 200", f"HTTP/{version}")
    answer = stand.call("GET", "/health")
    hsts = answer.headers.get("Strict-Transport-Security", "")
    claim("HSTS, once", hsts.count("max-age=31536000") == 1, hsts)
    plain = f"http://localhost:{stand.nginx.http}/auth/me?x=1"
    moved = _curl(stand, plain, "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}")
    claim("http leads to https", moved == "308 https://localhost/auth/me?x=1", moved)


def _handshake(stand: Stand, version: ssl.TLSVersion) -> bool:
    context = ssl.create_default_context(cafile=str(stand.nginx.certificate))
    # The client allows everything, so that a refusal is the server's.
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    try:
        with socket.create_connection((HOST, stand.nginx.https), timeout=10) as plain:
            context.wrap_socket(plain, server_hostname="localhost").close()
    except (ssl.SSLError, ConnectionResetError):
        return False
    return True


def _curl(stand: Stand, url: str, *arguments: str) -> str:
    command = ["curl", "--silent", "--max-time", "20", "--cacert", str(stand.nginx.certificate)]
    done = subprocess.run([*command, *arguments, url], capture_output=True, text=True, timeout=30)
    return done.stdout


def _show_prefix(stand: Stand, person: Person, other: Person) -> None:
    for number in range(7):
        stand.send(person, other, f"Page {number}")
    everything = stand.call("GET", "/messages", token=person.token)
    ids = [message["id"] for message in everything.json()]
    seen: list[int] = []
    urls: list[str] = []
    url = "/api/messages?limit=2"
    while url:
        urls.append(url)
        page = stand.call("GET", url, token=person.token)
        seen = [message["id"] for message in page.json()] + seen
        found = LINK.search(page.headers.get("Link", ""))
        if found and not found[1].startswith(f"{stand.url}/api/messages?"):
            claim("Link below /api/ leads below /api/", False, found[1])
        url = found[1].removeprefix(stand.url) if found else ""
    claim(
        "Link: next below /api/ leads through the whole list below /api/",
        seen == ids and len(urls) > 3,
        f"{len(urls)} pages, {len(seen)} messages, as {urls[1]}",
    )
    forged = {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Host": "evil.example"}
    forged["Forwarded"] = "host=evil.example"
    link = stand.call("GET", "/messages?limit=1", token=person.token, headers=forged).headers["Link"]
    claim("nobody outside chooses the links", link.startswith(f"<{stand.url}/messages?"), link)
    server = stand.call("GET", "/api/openapi.json").json()["servers"]
    claim("the description below /api/ names it", server == [{"url": "/api"}], server)


def _show_limits(stand: Stand, person: Person) -> None:
    def post(size: int) -> Answer:
        headers = {"Content-Type": "application/json"}
        body = b'"' + b"x" * (size - 2) + b'"'
        return stand.call("POST", "/api/messages", token=person.token, data=body, headers=headers)

    fits = post(MAX_BODY)
    claim("256 KiB reach the application", fits.status_code == 400 and "errors" in fits.json())
    _show_problem("a byte more is a 413", post(MAX_BODY + 1), 413)
    chunks = (b"x" * KIB for _ in range(300))
    _show_problem("in chunks as well", stand.call("POST", "/messages", token=person.token, data=chunks), 413)
    _show_problem("a header of 9 KiB is a 431", stand.call("GET", "/", headers={"X-Long": "x" * 9216}), 431)
    _show_problem("a path of 9 KiB is a 414", stand.call("GET", "/" + "x" * 9216), 414)
    for path in ("/metrics", "/api/metrics", "/metrics/"):
        _show_problem(f"{path} is not passed on", stand.call("GET", path), 404)
    _show_problem("a path with NUL is a 400", stand.call("GET", "/messages/%00"), 400)
    context = ssl.create_default_context(cafile=str(stand.nginx.certificate))
    with (
        socket.create_connection((HOST, stand.nginx.https), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        tls.sendall(b"NONSENSE\r\n\r\n")
        raw = b"".join(iter(lambda: tls.recv(4096), b""))
    claim(
        "a broken request line is a 400 in the one shape",
        raw.startswith(b"HTTP/1.1 400 ") and b'"status":400' in raw and b"application/problem+json" in raw,
    )


def _show_problem(sentence: str, answer: Answer, status: int) -> None:
    shaped = answer.headers.get("Content-Type") == "application/problem+json"
    body = answer.json() if shaped else {}
    headers = answer.headers
    claim(
        f"{sentence} in the one shape",
        answer.status_code == status
        and set(body) >= {"type", "title", "status", "detail", "code"}
        and body["status"] == status
        and bool(headers.get("X-Request-ID"))
        and headers.get("X-Content-Type-Options") == "nosniff"
        and headers.get("Cache-Control") == "no-store",
        f"{answer.status_code} {body.get('title')!r}, {body.get('detail')!r}"
        if shaped
        else f"{answer.status_code} {answer.text[:200]}",
    )


def _show_files(stand: Stand) -> None:
    page = stand.call("GET", "/admin/login/")
    paths = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    answers = [stand.call("GET", path) for path in paths]
    claim(
        "the files of the admin's login page come from disk, compressed and cached",
        bool(answers)
        and all(
            answer.ok and "max-age" in answer.headers["Cache-Control"] and "ETag" in answer.headers
            for answer in answers
        )
        and any(answer.headers.get("Content-Encoding") == "gzip" for answer in answers),
        f"{len(answers)} files",
    )
    missing = stand.call("GET", "/static/../manage.py")
    claim("and no other file does", missing.status_code == 404, missing.status_code)


def _show_ids_and_log(stand: Stand, person: Person) -> None:
    given = f"drill-{uuid4().hex}"
    here = stand.call("GET", "/health", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    there = stand.call("GET", "/metrics", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    forged = stand.call("GET", "/metrics", headers={"X-Request-ID": "no id"}).headers["X-Request-ID"]
    claim(
        "a request's id goes through and comes back, from nginx's own errors as well",
        (here, there) == (given, given) and forged != "no id",
    )
    secret = f"secret{uuid4().hex}"
    stand.call("GET", f"/api/messages?search={secret}", token=person.token).raise_for_status()
    logs = [*stand.folder.glob("*.log"), *stand.folder.glob("logs/*")]
    texts = [path.read_text(errors="replace") for path in logs]
    claim(
        "the logs name the request and not what was searched for",
        any(given in text for text in texts) and not any(secret in text for text in texts),
        f"{len(logs)} files",
    )


def show_nobody_there(stand: Stand) -> None:
    section("Both instances are gone, and come back")
    for instance in stand.instances:
        instance.stop()
        instance.close_port()
    answer = stand.call("GET", "/api/auth/me")
    _show_problem("nginx says so", answer, 502)
    retry = answer.headers.get("Retry-After")
    claim("with a time to come back", retry == "5", retry)
    for instance in stand.instances:
        instance.open_port()
        instance.start()
    again = stand.call("GET", "/health")
    claim("and serves again by itself", again.status_code == 200, again.status_code)


def show_units(folder: Path, code: Path) -> None:
    section("The systemd units")
    units = folder / "units"
    units.mkdir()
    for path in (ROOT / "deploy/systemd").iterdir():
        text = path.read_text().replace("/srv/aimessage", str(code))
        # systemd-analyze verifies instances, not templates.
        (units / path.name.replace("@.", "@8001.")).write_text(text)
    names = sorted(str(path) for path in units.iterdir())
    verified = subprocess.run(["systemd-analyze", "verify", *names], capture_output=True, text=True)
    complaints = [line for line in verified.stderr.splitlines() if str(units) in line or "aimessage" in line]
    claim(
        "systemd-analyze verify has nothing to say",
        verified.returncode == 0 and not complaints,
        f"{len(names)} units" + "".join(f"\n    {line}" for line in complaints),
    )
    for name in names:
        if not name.endswith(".service"):
            continue
        command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", name]
        done = subprocess.run(command, capture_output=True, text=True)
        verdict = re.search(r"exposure level for (\S+): ([\d.]+)", done.stdout)
        claim(
            "its exposure is at most 2.0 of 10",
            done.returncode == 0 and verdict is not None,
            f"{verdict[1]} {verdict[2]}" if verdict else done.stderr,
        )
