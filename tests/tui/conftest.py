"""A home for the app, and a still machine: meters that do not move."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import CSSLocation, Stylesheet
from textual.notifications import Notification

from engine.paths import Home
from tui.keys import hold
from tui.panes.job import JobView
from tui.services.meters import GpuMeter, Meter, Reading
from tui.services.tokens import PromptTokens


@pytest.fixture
def home(private_home: Path) -> Home:
    return Home.locate(private_home)


@pytest.fixture
def still_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The load of this machine would differ from run to run."""
    monkeypatch.setattr(Meter, "read", lambda self, pid: Reading(187.0, 3100.0))
    monkeypatch.setattr(GpuMeter, "read", lambda self: None)


TICK = JobView.tick


@pytest.fixture(autouse=True)
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells how long a job has been at work would differ from look to look, and never settle."""
    monkeypatch.setattr(JobView, "tick", lambda self, seconds: None)
    monkeypatch.setattr("tui.screens.jobs.screen.monotonic", lambda: 0.0)


@pytest.fixture
def moving_clock(still_clock: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a person sees it."""
    monkeypatch.setattr(JobView, "tick", TICK)
    monkeypatch.setattr("tui.screens.jobs.screen.monotonic", monotonic)


@pytest.fixture(autouse=True)
def estimated_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """No starter is there to count with: the estimate stands, and no process is started at each screen to find that."""
    monkeypatch.setattr(PromptTokens, "_count", lambda self: None)


@pytest.fixture(autouse=True)
def notes_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the app told stays until it is read: a machine that stands still for seconds would have it pass unseen."""
    monkeypatch.setattr(Notification, "time_left", property(lambda self: 3600.0))


@pytest.fixture(autouse=True, scope="session")
def styles_parsed_once() -> Iterator[None]:
    """Apps by the hundred begin with the same style sheets in the same colours."""
    parse, parsed = Stylesheet._parse_rules, dict[object, list[RuleSet]]()

    def remembered(
        sheet: Stylesheet, css: str, read_from: CSSLocation, is_default_rules: bool, tie_breaker: int, scope: str
    ) -> list[RuleSet]:
        asked = (tuple(sheet._variables.items()), css, read_from, is_default_rules, tie_breaker, scope)
        if asked not in parsed:
            parsed[asked] = parse(sheet, css, read_from, is_default_rules, tie_breaker, scope)
        return parsed[asked]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", remembered)
        yield


@pytest.fixture(autouse=True)
def nobodys_keys() -> Iterator[None]:
    """The keys of the table hold again after an app had a person's own."""
    yield
    hold({})
