"""Work of the prompt pane on the store and on files, for the store's thread.

What reads documents and runs checks is imported there on first use: the first paint of a project waits for
none of it.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from textual.message import Message

from engine.economics.tokens import TokenCount, estimate_prompt_tokens
from engine.errors import StoreError
from engine.paths import write_atomically
from engine.project import DRAFT, Project
from engine.records.prompt import Message as ChatMessage
from engine.records.prompt import Prompt
from engine.records.question import Question
from engine.records.rule import CheckResult, Rule, Span
from engine.stations import read_stations
from engine.store.dataclass_json import build
from engine.texts import read_text
from engine.wording import counted
from tui.keys import key_of

if TYPE_CHECKING:
    from engine.prompts.compare import ComparedLine
    from engine.records.finding import Finding
    from engine.records.proposal import Proposal

_CONTEXT_LINES = 2


@dataclass(frozen=True, slots=True)
class _CountedVersion:
    """One printed version."""

    version: int
    tokens: TokenCount


@dataclass(frozen=True, slots=True)
class Passage:
    """The span of characters in a message of the prompt that a rule comes from."""

    message: int
    span: Span


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version in the list."""

    version: int
    created_at: str
    note: str
    tokens: int  # estimated; shown until the student's tokenizer has counted
    rules_found: int
    rules: int
    current: bool


@dataclass
class PromptSaved(Message):
    """A prompt became current; `notice` reports what that makes stale."""

    version: int
    prompt: Prompt
    notice: str


@dataclass
class PassagesRead(Message):
    """Where in the prompt a rule comes from; without a passage, no place was found."""

    rule: Rule
    prompt: Prompt
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A prompt from a file as the text to edit; `notice` says what was found there."""

    text: str
    notice: str


@dataclass(frozen=True, slots=True)
class Draft:
    """An unsaved text, and the version it started from; None: there is none."""

    text: str | None
    begun: int = 0


@dataclass
class PromptOvertaken(Message):
    """Another version became current while this prompt was edited: it was not saved."""

    version: int
    prompt: Prompt


def save_prompt(project: Project, prompt: Prompt, begun: int | None = None) -> PromptSaved | PromptOvertaken:
    """Make `prompt` the current version, unless that is no longer the version given by `begun`."""
    with project.transaction():
        current = project.prompts.current()
        if begun is not None and current is not None and current.version != begun and current.prompt != prompt:
            return PromptOvertaken(current.version, prompt)
        version = project.prompts.set(prompt).version
    stale = [station.name for station in read_stations(project) if station.state == "stale"]
    notice = f"Version {version} is current."
    if stale:
        notice += f" Now out of date: {', '.join(stale)}."
        if project.datasets.latest() is not None:
            notice += f" {key_of('workspace.update')} shows what the change affects."
    return PromptSaved(version, prompt, notice)


def read_draft(project: Project) -> Draft:
    """Read the draft beside the database."""
    place = project.folder / DRAFT
    try:
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return Draft(None)
    return Draft(text, project.settings.draft_version())


def keep_draft(project: Project, text: str | None, begun: int, before: str | None) -> None:
    """Save a draft so that it outlives the terminal; None removes it, unless another terminal wrote it.

    If it cannot be written it lives as long as the terminal. `begun`: the version it started from; `before`: the draft
    last saved there.
    """
    place = project.folder / DRAFT
    with suppress(StoreError, OSError, UnicodeDecodeError):
        if text is not None:
            if begun != project.settings.draft_version():
                project.settings.write_draft_version(begun)
            write_atomically(place, text.encode())
        elif place.read_text(encoding="utf-8") == before:
            place.unlink()


def back_to(project: Project, version: int) -> PromptSaved | PromptOvertaken:
    """Make an older version current again."""
    return save_prompt(project, project.prompts.by_version(version).prompt)


def read_passages(_project: Project, rule: Rule, prompt: Prompt) -> PassagesRead:
    """Find the words of the prompt that ask for the rule; a pattern may take up to a second."""
    from engine.rules.locate import locate_rule

    found = locate_rule(rule, prompt.messages)
    return PassagesRead(rule, prompt, tuple(Passage(place.message, place.span) for place in found))


def read_versions(project: Project) -> tuple[VersionRow, ...]:
    """Read all versions, newest first."""
    from engine.rules.locate import locate_rule

    rules = project.rules.all()
    return tuple(
        VersionRow(
            found.version,
            found.created_at,
            found.note,
            estimate_prompt_tokens(found.prompt).tokens,
            sum(bool(locate_rule(rule, found.prompt.messages)) for rule in rules),
            len(rules),
            found.current,
        )
        for found in reversed(project.prompts.versions())
    )


def read_counts(answer: Mapping[str, object]) -> dict[int, TokenCount]:
    """Parse the tokens of each version from the output of `prompt versions --json`."""
    rows = [build(_CountedVersion, row) for row in cast("list[object]", answer.get("versions", []))]
    return {row.version: row.tokens for row in rows}


def read_difference(project: Project, version: int, *, whole: bool) -> "tuple[ComparedLine, ...]":
    """Compare this version with the current one."""
    from engine.prompts.compare import compare_texts
    from engine.prompts.documents import prompt_to_markdown

    current = project.prompts.current()
    if current is None:
        return ()
    before = prompt_to_markdown(project.prompts.by_version(version).prompt)
    context = None if whole else _CONTEXT_LINES
    return compare_texts(before, prompt_to_markdown(current.prompt), context)


def propose(project: Project) -> "tuple[Proposal, ...]":
    """Propose rules from the sentences of the current prompt, without a model."""
    from engine.prompts.proposals import propose_rules

    return propose_rules(project.prompts.require(), project.rules.all())


def read_findings(answer: Mapping[str, object]) -> "tuple[Finding, ...]":
    """Parse the output of `prompt check --json`."""
    from engine.records.finding import Finding

    return tuple(build(Finding, each) for each in cast("list[object]", answer.get("findings", [])))


def check_own_answer(project: Project, text: str) -> tuple[tuple[Rule, ...], tuple[CheckResult, ...]]:
    """Check a text against every rule; without a question, a label only has to be an allowed one.

    Returns the rules, and their results.
    """
    from engine.rules.checks import check_answer

    rules = project.rules.all()
    return rules, check_answer(rules, text, Question((ChatMessage("user", ""),)))


def read_document(path: str) -> Document:
    """Read a prompt from a file as an editable Markdown document."""
    from engine.prompts.documents import parse_prompt, prompt_to_markdown

    prompt = parse_prompt(read_text(path, regular=True), path)
    turns = len(prompt.example_turns) // 2
    found = [
        f"a system message of ≈ {estimate_prompt_tokens(Prompt(prompt.messages[:1])).tokens:,} tokens"
        if prompt.system
        else "no system message",
        counted(turns, "example turn"),
    ]
    return Document(prompt_to_markdown(prompt), f"Found in {path}: {' and '.join(found)}.")
