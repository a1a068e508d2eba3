"""The page in Chromium: no requests, an empty console, harmless hostile text, and the system's colour scheme."""

import functools
import http.server
import re
import shutil
import struct
import subprocess
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.paths import Home
from engine.project import Project
from engine.reports.build import build
from engine.reports.facts import read_report
from engine.reports.html import to_html
from tests.engine.reports.documents import ATTACKS, document
from tests.tui.panes.measured_projects import make_compared

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


class FolderServer:
    """A folder served on loopback, with the paths that were requested."""

    def __init__(self, folder: Path) -> None:
        requested: list[str] = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_request(self, code: object = "-", size: object = "-") -> None:
                requested.append(self.path)

        self.requested = requested
        handler = functools.partial(Handler, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[FolderServer]:
    (tmp_path / "pages").mkdir()
    server = FolderServer(tmp_path / "pages")
    yield server
    server.close()


def browse(tmp_path: Path, url: str, *args: str) -> tuple[str, str]:
    """Return the browser's output for the page, and the lines on its console."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
         "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}", *args, url],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def test_report_makes_no_requests_and_logs_nothing(served: FolderServer, tmp_path: Path, home: Home) -> None:
    with Project.open(make_compared(home), home) as project:
        made = build(read_report(project, compare=1))
    (tmp_path / "pages" / "report.html").write_text(to_html(made), "utf-8")
    dom, console = browse(tmp_path, f"{served.url}/report.html", "--dump-dom")
    assert served.requested == ["/report.html"]
    assert console == ""
    assert dom.count("<section") == len(made.sections)
    assert "<mark>A person answers." in dom


def test_hostile_text_has_no_effect_in_a_browser(served: FolderServer, tmp_path: Path) -> None:
    attack = "".join(ATTACKS)
    for name, text in (("attack", attack), ("plain", "x" * len(attack))):
        (tmp_path / "pages" / f"{name}.html").write_text(to_html(document(text)), "utf-8")
    attacked, console = browse(tmp_path, f"{served.url}/attack.html", "--dump-dom")
    untouched, _ = browse(tmp_path, f"{served.url}/plain.html", "--dump-dom")
    assert served.requested == ["/attack.html", "/plain.html"]
    assert console == ""
    assert "<script" not in attacked
    tags = re.compile(r"<(/?[a-z0-9]+)")
    assert tags.findall(attacked) == tags.findall(untouched)


def test_requests_and_console_output_of_a_page_are_detected(served: FolderServer, tmp_path: Path) -> None:
    """Check of the method: a page without the policy is seen making a request and logging to the console."""
    page = "<!doctype html><script>console.log('logged')</script><img src=/requested.png>"
    (tmp_path / "pages" / "loud.html").write_text(page, "utf-8")
    _, console = browse(tmp_path, f"{served.url}/loud.html", "--dump-dom")
    assert "/requested.png" in served.requested
    assert "logged" in console


@pytest.mark.parametrize(("scheme", "paper"), [("1", "fdfdfb"), ("0", "15181d")], ids=["light", "dark"])
def test_page_follows_the_systems_colour_scheme(tmp_path: Path, scheme: str, paper: str) -> None:
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    page.write_text(to_html(document("words")), "utf-8")
    browse(
        tmp_path, page.as_uri(), f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}",
        "--window-size=8,8", "--hide-scrollbars",
    )  # fmt: skip
    assert picture.is_file()
    assert first_pixel(picture.read_bytes()).hex() == paper


def first_pixel(png: bytes) -> bytes:
    """Red, green and blue of the top left pixel, which PNG filters leave unchanged."""
    data, place = b"", 8
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        if kind == b"IDAT":
            data += png[place + 8 : place + 8 + length]
        place += 12 + length
    return zlib.decompress(data)[1:4]
