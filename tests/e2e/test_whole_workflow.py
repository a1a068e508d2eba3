"""The whole workflow with keys only: an empty home, a prompt and questions from files, a distilled model, a blind vote.

Slow, because the starter model does the work. The terminal is killed once, and the work continues. Each screen is saved
in the test's folder, `screens/`.
"""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from engine.bundled import bundled_text
from engine.jobs import control
from engine.model.starter import starter_weights
from engine.paths import Home
from engine.project import Project
from engine.prompts.documents import parse_prompt, prompt_to_markdown
from tests.e2e.terminal import Terminal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(starter_weights() is None, reason="the starter model's weights are not installed"),
]
EVERY_NTH = 8  # of the bundled questions: enough to learn the rules, few enough to wait for


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's files: a prompt, its rules, and questions."""
    prompt = parse_prompt(bundled_text("demo/prompt.yaml"), "the bundled prompt")
    (tmp_path / "prompt.md").write_text(prompt_to_markdown(prompt), encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(bundled_text("demo/rules.yaml"), encoding="utf-8")
    questions = bundled_text("demo/questions.jsonl").splitlines()[::EVERY_NTH]
    kept = ("text", "topic", "label")  # not the splits, which are drawn by keys
    rows = [{name: json.loads(line)[name] for name in kept} for line in questions]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_leftover_jobs(home: Home) -> Iterator[None]:
    """Stop the jobs that the test leaves running."""
    yield
    with Project.open(home.projects / "desk", home) as project:
        for job in project.jobs.live():
            control.stop(project, job, force=True, grace_s=5.0)


@pytest.mark.usefixtures("files", "no_leftover_jobs")
def test_from_an_empty_home_to_a_blind_vote(home: Home, tmp_path: Path) -> None:
    terminal = Terminal(home, 120, 40)
    screens, numbers = tmp_path / "screens", count(1)
    screens.mkdir()

    def press(keys: str, text: str, gone: str = "") -> None:
        terminal.press(keys)
        wait(text, gone, minutes=1)

    def wait(text: str, gone: str = "", minutes: float = 10) -> None:
        """Read until `text` is on the screen and `gone` is not; save the screen as the next file."""
        display = terminal.until(text, gone, seconds=60 * minutes)
        (screens / f"{next(numbers):02d}.txt").write_text(display, encoding="utf-8")

    terminal.until("No projects yet")
    press("n", "New project")
    press("desk", "desk")
    press("\r", "No prompt yet")
    # 1 Prompt, and its rules
    press("m", "Import a prompt")
    terminal.press("prompt.md")
    press("\r", "not saved")
    press("\x07", "version 1")
    press("R", "0 rules")
    press("m", "Import rules")
    terminal.press("rules.yaml")
    press("\r", "7 rules")
    # 2 Questions
    press("2", "Questions are what users will send")
    press("m", "Import questions")
    terminal.press("questions.jsonl")
    press("\r", "enter stores them")
    press("\r", "S draws")
    press("S", "Split the questions")
    press("\r", "enter stores this split")
    press("\r", "Questions   67", gone="S draws")
    # 3 Examples: answered while the terminal is killed and reopened
    press("3", "let the teacher answer 60 questions")
    press("\r", "No cost:")
    press("\r", "● generate")
    terminal.kill()
    terminal = Terminal(home, 120, 40)
    wait("60 undecided")
    press("c", "Review")
    press("c", "The rules accepted")
    press("\x1b", "accepted", gone="Review")
    # 4 Dataset
    press("4", "what would be frozen")
    press("z", "sha256")
    # 5 Run
    press("5", "Run   none yet")
    press("t", "enter train")
    press("\r", "● train")
    wait("✓ train", minutes=15)
    # 6 Evaluation
    press("6", "Evaluation   none yet")
    press("e", "enter evaluate")
    press("\r", "● evaluate")
    wait("✓ evaluate", minutes=20)
    wait("every rule")
    # 7 Release
    press("7", "Release   none yet")
    press("e", "enter export")
    press("\r", "adapter of run 1")
    # 9 Chat: both at once, blind, and a vote
    press("9", "prompted against run-1")
    press("b", "blind")
    press("\r", "ask both arms")
    terminal.press("My card was swallowed, what now?")
    terminal.press("\r")
    wait("Which is better?")
    press("\x1b[D", "You said: A was better.")
    assert terminal.quit() == 0
    with Project.open(home.projects / "desk", home) as project:
        assert len(project.votes.between("prompted", "run-1")) == 1
        assert project.evaluations.latest() is not None
        assert project.releases.all()


def test_quick_demo_survives_a_killed_terminal(home: Home) -> None:
    """Started by a key; the terminal is killed midway, and a smaller one shows the result."""
    terminal = Terminal(home, 120, 40)
    terminal.until("No projects yet")
    terminal.press("d")
    terminal.until("Run the demo")
    terminal.press("\x1b[C")
    terminal.until("125 questions")
    terminal.press("\r")
    terminal.until("KL + cross-entropy", seconds=600)
    terminal.kill()
    terminal = Terminal(home, 80, 24)
    terminal.until("✓ demo", seconds=900)
    terminal.press("6")
    text = terminal.until("every rule")
    assert "distilled" in text
    for key, title in (("3", "Examples"), ("5", "Run 1"), ("7", "Release"), ("6", "Evaluation")):
        terminal.press(key)
        terminal.until(title)
    assert terminal.quit() == 0
    with Project.open(home.projects / "demo-quick", home) as project:
        assert project.evaluations.latest() is not None
