"""No text hardcodes a key: an action for which the user set another key is shown with that key, everywhere."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.keys import _character_to_key
from textual.pilot import Pilot

from engine.jobs.protocol import StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.options import GenerateOptions
from tests.tui.piloting import SIZES, screen_text, shown, until, wait_for_pane
from tests.tui.seeds import add_job, answering_events, make_stage
from tui.actions import ACTIONS, BOUND, PANES, PaneName
from tui.app import DistillApp
from tui.keymap import own_keys
from tui.keys import key_of, with_keys
from tui.settings import Settings

ROOT = Path(__file__).parents[3] / "tui"
# A key followed by a verb (“t trains”, “esc goes”, “5 shows”), and a key alone, as set in the accent colour.
KEY = r"(?:[b-zA-Z]|esc|enter|space|tab|PgUp|PgDn|\^[a-z]|[\[\]=<>/*])"
SHOWS = r"[1-9] (?:shows|trains|measures|lets|evaluates|asks|is)\b"
KEY_WITH_VERB = re.compile(rf"(?:^|[\s(;:,])(?:{KEY} (?!was\b)[a-z]+s\b|{SHOWS})")
KEY_ALONE = re.compile(rf"(?:{KEY}|[1-9a0.])(?: {KEY})*")


def string_literals(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield every string that is not a docstring."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node


def accented_literals(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield every string styled with the accent colour: `("t", ACCENT)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and [e.id for e in node.elts[1:] if isinstance(e, ast.Name)] == ["ACCENT"]:
            first = node.elts[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first


MODULES = sorted(ROOT.rglob("*.py"))
ACTION_NAME = rf"(?:{'|'.join(ACTIONS)})\.[a-z_]+"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_contains_a_hardcoded_key(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node for node in string_literals(tree) if KEY_WITH_VERB.search(str(node.value))]
    found += [node for node in accented_literals(tree) if KEY_ALONE.fullmatch(str(node.value))]
    assert [f"{node.lineno}: {node.value!r}" for node in found] == []


def test_every_action_named_in_a_text_exists() -> None:
    """`key_of` raises for an unknown action, and not every text is drawn in a test."""
    named = {
        name
        for path in MODULES
        for node in string_literals(ast.parse(path.read_text(encoding="utf-8")))
        if re.fullmatch(rf"{ACTION_NAME}(?: {ACTION_NAME})*", str(node.value))
        for name in str(node.value).split()
    }
    named |= {
        name for actions in ACTIONS.values() for action in actions for name in re.findall(ACTION_NAME, action.help)
    }
    assert len(named) > 80
    assert {name for name in named - set(BOUND) if not name.endswith((".md", ".yaml", ".tcss"))} == set()


# Every action gets another key: a Cyrillic letter, which no text of the program contains.
CUSTOM_KEYS = dict(zip(BOUND, (chr(0x0410 + number) for number in range(len(BOUND))), strict=True))
# By stage and pane: actions, and the text that follows their keys.
HINTS: dict[tuple[str, PaneName], dict[str, str]] = {
    ("bare", "prompt"): {
        "prompt.edit": "write one here",
        "prompt.editor": "open your editor",
        "prompt.bring": "import a file",
    },
    ("bare", "questions"): {
        "questions.bring": "import them",
        "questions.synthesize": "let the teacher write some",
        "questions.add": "type one",
    },
    ("bare", "examples"): {
        "workspace.prompt": "set a prompt first",
        "examples.generate": "then generate answers",
    },
    ("bare", "cost"): {"workspace.prompt": "go to the prompt pane to write one"},
    ("bare", "chat"): {"chat.ask": "ask a question", "chat.arms": "compare other arms"},
    ("new", "questions"): {"workspace.examples": "the examples are next"},
    ("new", "examples"): {"examples.generate": "let the teacher answer 40 questions"},
    ("new", "dataset"): {
        "workspace.examples": "generate answers",
        "dataset.freeze": "then freeze the accepted ones",
    },
    ("new", "run"): {"workspace.examples": "generate answers first"},
    ("new", "evaluation"): {"workspace.examples": "generate answers first"},
    ("new", "release"): {"workspace.examples": "generate answers first"},
    ("new", "chat"): {"chat.blind": "hide which arm is which"},
    ("paused", "examples"): {"workspace.resume": "resumes it,", "workspace.stop": "stops it"},
    ("failed", "examples"): {"workspace.resume": "resumes it", "workspace.dataset": "the dataset is next"},
    ("done", "release"): {"release.copy": "copies it"},
}
# By stage: the station of the next step, its action, and the text after the key.
NEXT_STEPS: dict[str, tuple[PaneName, str, str]] = {
    "bare": ("prompt", "prompt.edit", "write it"),
    "new": ("examples", "examples.generate", "generate"),
    "failed": ("examples", "workspace.resume", "resume"),
}


def make_project_at(home: Home, stage: str) -> Path:
    if stage == "bare":
        with Project.create(home.projects / "bare", home=home) as project:
            return project.folder
    if stage == "paused":
        with Project.open(make_stage(home, "new"), home) as project:
            add_job(project, GenerateOptions(), "paused", [*answering_events(), StateChanged("paused")])
            return project.folder
    return make_stage(home, stage)


def test_every_action_accepts_its_custom_key() -> None:
    kept, errors = own_keys(CUSTOM_KEYS)
    assert not errors
    assert set(kept) == set(BOUND)


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize("stage", sorted({stage for stage, _ in HINTS}))
async def test_panes_show_the_custom_keys_of_rebound_actions(
    home: Home, stage: str, size: tuple[int, int], fixed_meter: None
) -> None:
    app = DistillApp(home, make_project_at(home, stage), settings=Settings(keys=CUSTOM_KEYS))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        for pane in PANES if stage in ("bare", "new") else [pane for at, pane in HINTS if at == stage]:
            await press_key_of(pilot, f"workspace.{pane}")
            await wait_for_pane(pilot, pane)
            expected = [
                rf"{CUSTOM_KEYS[name]} +{re.escape(text)}" for name, text in HINTS.get((stage, pane), {}).items()
            ]
            if stage in NEXT_STEPS:
                station, action, text = NEXT_STEPS[stage]
                works_here = action.startswith("workspace.") or (pane == station and size != (80, 24))
                station_key = "" if works_here else f"{CUSTOM_KEYS[f'workspace.{station}']} "
                expected.append(f"{station_key}{CUSTOM_KEYS[action]} {text}")
            await wait_for_matches(pilot, expected)
            assert KEY_WITH_VERB.findall(screen_text(app)) == []


async def wait_for_matches(pilot: Pilot[int], patterns: list[str]) -> None:
    """Wait until every pattern is found on the screen."""
    await until(pilot, lambda: all(re.search(each, screen_text(pilot.app)) for each in patterns))


async def press_key_of(pilot: Pilot[int], name: str) -> None:
    await pilot.press(_character_to_key(CUSTOM_KEYS[name]))


def test_action_names_in_help_become_their_current_keys() -> None:
    sentence = next(action.help for action in ACTIONS["rules"] if action.id == "remove")
    assert with_keys(sentence) == "Delete the rule; u undoes it."
    assert key_of("prompt.rules", "rules.add") == "R a"
    assert key_of("run.later") == "→"
