"""Fixtures for every test of the app: a private home, fixed meters and clocks, toasts that stay."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.css.types import CSSLocation
from textual.notifications import Notification

from engine.paths import Home
from tui.keys import hold
from tui.services.job_view import JobView
from tui.services.meters import GpuMeter, Meter, Reading


@pytest.fixture
def home(private_home: Path) -> Home:
    return Home.locate(private_home)


@pytest.fixture
def fixed_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fix the CPU and memory readings, which would differ from run to run."""
    monkeypatch.setattr(Meter, "read", lambda self, pid: Reading(187.0, 3100.0))
    monkeypatch.setattr(GpuMeter, "read", lambda self: None)


TICK = JobView.tick


@pytest.fixture(autouse=True)
def frozen_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the running times of jobs, which would keep the screen from ever settling."""
    monkeypatch.setattr(JobView, "tick", lambda self, seconds: None)
    monkeypatch.setattr("tui.screens.jobs.screen.monotonic", lambda: 0.0)


@pytest.fixture
def real_clock(frozen_clock: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the running times of jobs pass, as in the real app."""
    monkeypatch.setattr(JobView, "tick", TICK)
    monkeypatch.setattr("tui.screens.jobs.screen.monotonic", monotonic)


@pytest.fixture(autouse=True)
def estimated_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the estimated token count: there is no starter model, and no process should start just to find that out."""
    monkeypatch.setattr("tui.services.tokens.carry_out", lambda *_: {})


@pytest.fixture(autouse=True)
def toasts_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep toasts for an hour: on a machine that stalls for seconds they would expire before a test reads them."""
    monkeypatch.setattr(Notification, "time_left", property(lambda self: 3600.0))


@pytest.fixture(autouse=True, scope="session")
def cached_style_sheets() -> Iterator[None]:
    """Parse each style sheet once: hundreds of apps start with the same ones in the same colours."""
    parse, parsed = Stylesheet._parse_rules, dict[object, list[RuleSet]]()

    def cached(
        sheet: Stylesheet, css: str, read_from: CSSLocation, is_default_rules: bool, tie_breaker: int, scope: str
    ) -> list[RuleSet]:
        key = (tuple(sheet._variables.items()), css, read_from, is_default_rules, tie_breaker, scope)
        if key not in parsed:
            parsed[key] = parse(sheet, css, read_from, is_default_rules, tie_breaker, scope)
        return parsed[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", cached)
        yield


@pytest.fixture(autouse=True)
def default_keys() -> Iterator[None]:
    """Restore the default keys after an app that had custom ones."""
    yield
    hold({})
