"""The page in a real browser: nothing is requested, the console is silent, hostile text does nothing, dark is dark."""

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
from tests.tui.panes.measured import make_compared

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


class Served:
    """A folder behind an address of this machine, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        asked: list[str] = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_request(self, code: object = "-", size: object = "-") -> None:
                asked.append(self.path)

        self.asked = asked
        handler = functools.partial(Handler, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "pages").mkdir()
    server = Served(tmp_path / "pages")
    yield server
    server.close()


def browse(tmp_path: Path, url: str, *words: str) -> tuple[str, str]:
    """What the browser has of the page, and what was said on its console."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
         "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}", *words, url],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def test_a_report_asks_for_nothing_and_the_console_is_silent(served: Served, tmp_path: Path, home: Home) -> None:
    with Project.open(make_compared(home), home) as project:
        made = build(read_report(project, compare=1))
    (tmp_path / "pages" / "report.html").write_text(to_html(made), "utf-8")
    dom, console = browse(tmp_path, f"{served.url}/report.html", "--dump-dom")
    assert served.asked == ["/report.html"]
    assert console == ""
    assert dom.count("<section") == len(made.sections)
    assert "<mark>A person answers." in dom


def test_hostile_text_does_nothing_in_a_browser(served: Served, tmp_path: Path) -> None:
    attack = "".join(ATTACKS)
    for name, text in (("attack", attack), ("plain", "x" * len(attack))):
        (tmp_path / "pages" / f"{name}.html").write_text(to_html(document(text)), "utf-8")
    attacked, console = browse(tmp_path, f"{served.url}/attack.html", "--dump-dom")
    untouched, _ = browse(tmp_path, f"{served.url}/plain.html", "--dump-dom")
    assert served.asked == ["/attack.html", "/plain.html"]
    assert console == ""
    assert "<script" not in attacked
    tags = re.compile(r"<(/?[a-z0-9]+)")
    assert tags.findall(attacked) == tags.findall(untouched)


def test_the_control_a_page_that_asks_is_caught(served: Served, tmp_path: Path) -> None:
    """The measurement itself: a page without the policy that asks and speaks is seen doing both."""
    page = "<!doctype html><script>console.log('spoken')</script><img src=/asked.png>"
    (tmp_path / "pages" / "loud.html").write_text(page, "utf-8")
    _, console = browse(tmp_path, f"{served.url}/loud.html", "--dump-dom")
    assert "/asked.png" in served.asked
    assert "spoken" in console


@pytest.mark.parametrize(("scheme", "paper"), [("1", "fdfdfb"), ("0", "15181d")], ids=["light", "dark"])
def test_the_page_is_light_or_dark_as_the_system_says(tmp_path: Path, scheme: str, paper: str) -> None:
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    page.write_text(to_html(document("words")), "utf-8")
    browse(
        tmp_path, page.as_uri(), f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}",
        "--window-size=8,8", "--hide-scrollbars",
    )  # fmt: skip
    assert picture.is_file()
    assert first_pixel(picture.read_bytes()).hex() == paper


def first_pixel(png: bytes) -> bytes:
    """Red, green, blue of the upper left corner; its filters do nothing there."""
    data, place = b"", 8
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        if kind == b"IDAT":
            data += png[place + 8 : place + 8 + length]
        place += 12 + length
    return zlib.decompress(data)[1:4]
