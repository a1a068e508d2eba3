"""No text names a key by itself: an action for which the user set another key is shown with that key, everywhere."""

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
from tests.tui.piloting import SIZES, shown, until
from tests.tui.seeds import add_job, answering_events, make_stage
from tui.actions import ACTIONS, BOUND, PANES, PaneName
from tui.app import DistillApp
from tui.keymap import own_keys
from tui.keys import key_of, with_keys
from tui.settings import Settings

ROOT = Path(__file__).parents[2] / "tui"
# A key before what it does: «t trains», «esc goes», «5 shows»; and a key that stands alone, to be set in the accent.
KEY = r"(?:[b-zA-Z]|esc|enter|space|tab|PgUp|PgDn|\^[a-z]|[\[\]=<>/*])"
SHOWS = r"[1-9] (?:shows|trains|measures|lets|evaluates|asks|is)\b"
DOES = re.compile(rf"(?:^|[\s(;:,])(?:{KEY} (?!was\b)[a-z]+s\b|{SHOWS})")
ALONE = re.compile(rf"(?:{KEY}|[1-9a0.])(?: {KEY})*")


def texts(tree: ast.Module) -> Iterator[ast.Constant]:
    """Every string that is no docstring."""
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


def styled(tree: ast.Module) -> Iterator[ast.Constant]:
    """Every string that is set in the accent: `("t", ACCENT)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and [e.id for e in node.elts[1:] if isinstance(e, ast.Name)] == ["ACCENT"]:
            first = node.elts[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first


MODULES = sorted(ROOT.rglob("*.py"))
NAME = rf"(?:{'|'.join(ACTIONS)})\.[a-z_]+"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_names_a_key_by_itself(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [node for node in texts(tree) if DOES.search(str(node.value))]
    named += [node for node in styled(tree) if ALONE.fullmatch(str(node.value))]
    assert [f"{node.lineno}: {node.value}" for node in named] == []


def test_every_action_that_a_text_names_is_there() -> None:
    """`key_of` raises where there is none, and not every text is drawn in a test."""
    named = {
        name
        for path in MODULES
        for node in texts(ast.parse(path.read_text(encoding="utf-8")))
        if re.fullmatch(rf"{NAME}(?: {NAME})*", str(node.value))
        for name in str(node.value).split()
    }
    named |= {name for actions in ACTIONS.values() for action in actions for name in re.findall(NAME, action.help)}
    assert len(named) > 80
    assert {name for name in named - set(BOUND) if not name.endswith((".md", ".yaml", ".tcss"))} == set()


# Every action has another key, a letter that stands nowhere else in the program.
OTHERS = dict(zip(BOUND, (chr(0x0410 + number) for number in range(len(BOUND))), strict=True))
# By stage and pane: actions, and the words that come after their keys; nothing else of the pane names a key.
TOLD: dict[tuple[str, PaneName], dict[str, str]] = {
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
    ("new", "run"): {"workspace.dataset": "freeze a dataset first", "run.train": "then train on it"},
    ("new", "evaluation"): {"workspace.run": "train a run first", "evaluation.evaluate": "then evaluate it"},
    ("new", "release"): {"workspace.run": "train a run first", "release.export": "then export it"},
    ("new", "chat"): {"chat.blind": "hide which arm is which"},
    ("paused", "examples"): {"workspace.resume": "resumes it,", "workspace.stop": "stops it"},
    ("failed", "examples"): {"workspace.resume": "resumes it", "workspace.dataset": "the dataset is next"},
    ("done", "release"): {"release.copy": "copies it"},
}
# What is next, by stage: at which station, and what is done there.
NEXT: dict[str, tuple[PaneName, str, str]] = {
    "bare": ("prompt", "prompt.edit", "write it"),
    "new": ("examples", "examples.generate", "generate"),
    "failed": ("examples", "workspace.resume", "resume"),
}


def make(home: Home, stage: str) -> Path:
    if stage == "bare":
        with Project.create(home.projects / "bare", home=home) as project:
            return project.folder
    if stage == "paused":
        with Project.open(make_stage(home, "new"), home) as project:
            add_job(project, GenerateOptions(), "paused", [*answering_events(), StateChanged("paused")])
            return project.folder
    return make_stage(home, stage)


def screen_text(app: DistillApp) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def test_the_letters_can_all_be_keys() -> None:
    kept, errors = own_keys(OTHERS)
    assert not errors
    assert set(kept) == set(BOUND)


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize("stage", sorted({stage for stage, _ in TOLD}))
async def test_a_rebound_action_is_told_by_its_own_key_everywhere(
    home: Home, stage: str, size: tuple[int, int], still_meter: None
) -> None:
    app = DistillApp(home, make(home, stage), settings=Settings(keys=OTHERS))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        for pane in PANES if stage in ("bare", "new") else [pane for at, pane in TOLD if at == stage]:
            await press(pilot, f"workspace.{pane}")
            await until(pilot, lambda pane=pane: shown(app) == pane)
            expected = [rf"{OTHERS[name]} +{re.escape(words)}" for name, words in TOLD.get((stage, pane), {}).items()]
            if stage in NEXT:
                station, action, words = NEXT[stage]
                at_hand = action.startswith("workspace.") or (pane == station and size != (80, 24))
                goes_there = "" if at_hand else f"{OTHERS[f'workspace.{station}']} "
                expected.append(f"{goes_there}{OTHERS[action]} {words}")
            await until(pilot, lambda expected=expected: all(re.search(each, screen_text(app)) for each in expected))
            assert DOES.findall(screen_text(app)) == []


async def press(pilot: Pilot[int], name: str) -> None:
    await pilot.press(_character_to_key(OTHERS[name]))


def test_a_sentence_of_the_table_is_told_with_the_keys_that_hold() -> None:
    sentence = next(action.help for action in ACTIONS["rules"] if action.id == "remove")
    assert with_keys(sentence) == "Remove the rule; u restores it."
    assert key_of("prompt.rules", "rules.add") == "R n"
    assert key_of("run.later") == "→"
