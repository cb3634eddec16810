"""Runs Debian's nginx with deploy/nginx/aimessage.conf."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.ports import free_port
from tools.drill.unit import HOST, ROOT, Instance, StandError


def wait_until(ready: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise StandError(f"Waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.05)


class Nginx:
    def __init__(self, folder: Path, ports: tuple[int, int]) -> None:
        self.folder = folder
        self.https, self.http = free_port(), free_port()
        self.certificate = folder / "cert.pem"
        self._make_certificate(folder / "key.pem")
        site = (ROOT / "deploy/nginx/aimessage.conf").read_text()
        changes = {
            "127.0.0.1:8001": f"{HOST}:{ports[0]}",
            "127.0.0.1:8002": f"{HOST}:{ports[1]}",
            "listen 80;": f"listen {HOST}:{self.http};",
            "listen 443 ssl http2;": f"listen {HOST}:{self.https} ssl http2;",
            "listen [::]:80;": "",
            "listen [::]:443 ssl http2;": "",
            "server_name chat.example.org;": "server_name localhost;",
            "/etc/aimessage/tls": str(folder),
            "/var/log/nginx": str(folder),
            "/srv/aimessage/staticfiles/": f"{ROOT}/staticfiles/",
        }
        (folder / "site.conf").write_text(replace_all(site, changes))
        main = Path("/etc/nginx/nginx.conf").read_text()
        temporary = "".join(
            f"{module}_temp_path {folder}/{module};\n"
            for module in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        changes = {
            # Only the user who runs the drill may read its folder.
            "user www-data;": "user root;" if os.geteuid() == 0 else "",
            # As docs/operations.md says.
            "worker_connections 768;": "worker_connections 16384;",
            "/run/nginx.pid": f"{folder}/nginx.pid",
            "/var/log/nginx": str(folder),
            "include /etc/nginx/modules-enabled/*.conf;": "",
            "include /etc/nginx/conf.d/*.conf;": temporary,
            "/etc/nginx/sites-enabled/*": f"{folder}/site.conf",
        }
        self.config = folder / "nginx.conf"
        self.config.write_text(replace_all(main, changes))

    def give_streams(self, instances: list[Instance]) -> None:
        """Leads new streams to these two. Open ones stay where they are."""
        site = self.folder / "site.conf"
        before, name, rest = site.read_text().partition("upstream aimessage_streams {")
        block, end, after = rest.partition("}")
        ports = iter(instances)
        block = re.sub(rf"(?<={HOST}:)\d+", lambda _: str(next(ports).port), block)
        site.write_text(before + name + block + end + after)
        self.process.send_signal(signal.SIGHUP)

    def _make_certificate(self, key: Path) -> None:
        request = "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2"
        names = f"-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:{HOST}"
        files = ["-keyout", str(key), "-out", str(self.certificate)]
        command = [*request.split(), *names.split(), *files]
        subprocess.run(command, check=True, capture_output=True)

    def start(self) -> None:
        command = ["nginx", "-c", str(self.config), "-e", f"{self.folder}/error.log", "-g", "daemon off;"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        wait_until(self._answers, seconds=10, what=f"nginx on port {self.https}")

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise StandError("nginx did not start; its message stands above")
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.https)) == 0

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def replace_all(text: str, changes: dict[str, str]) -> str:
    # A change that finds nothing means that the shipped file has changed.
    for old, new in changes.items():
        if old not in text:
            raise StandError(f"{old!r} is not in the configuration any more; tell the drill")
        text = text.replace(old, new)
    return text
