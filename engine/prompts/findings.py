"""The complete check of a project's prompt: its findings, and their text form.

Knows what to read from the project; how problems are found is known elsewhere.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.clean import clean_line
from engine.economics.tokens import count_prompt_tokens
from engine.errors import ModelError
from engine.model.on_disk import folder_here
from engine.paths import Home
from engine.prompts.lint import lint_length, lint_prompt
from engine.records.finding import Finding
from engine.wording import counted

if TYPE_CHECKING:
    from engine.project import Project

LINE_NUMBERS = "Line numbers are those of the prompt's text."
_QUOTE_CELLS = 100
TITLES = {
    "contradiction": "contradictory",
    "duplicate": "duplicate",
    "vague": "vague",
    "untestable": "untestable",
    "rule": "differs from a rule",
    "example": "example breaks a rule",
    "variable": "changes with each request",
    "length": "length",
    "short": "short",
}


def check_prompt(project: "Project") -> tuple[Finding, ...]:
    """Return the problems of the project's current prompt: wording, rules, and length.

    Raises UsageError if there is no prompt.
    """
    prompt = project.prompts.require()
    base = project.settings.read().student_base
    tokens = count_prompt_tokens(prompt, base, project.home).tokens
    return (*lint_prompt(prompt, project.rules.all()), *lint_length(tokens, _context_of(base, project.home), base))


def findings_text(findings: Sequence[Finding], unread_language: str = "") -> str:
    """Return one paragraph per finding: its line, the problem, and what to do.

    `unread_language`: the prompt's language, if demands in it are not read.
    """
    lines: list[str] = []
    if unread_language:
        lines += [
            f"The prompt seems to be in {unread_language}; vague or contradictory demands are found only in English.",
            "To find them, ask a teacher: --teacher",
            "",
        ]
    if not findings:
        return "\n".join([*lines, "Nothing else found." if lines else "Nothing found."])
    for finding in findings:
        place = f"line {finding.line}" if finding.line else "the prompt"
        source = "  (from the teacher)" if finding.source == "teacher" else ""
        lines.append(f"{place}: {TITLES[finding.kind]}{source}")
        if finding.quote:
            lines.append(f"    {clean_line(finding.quote, _QUOTE_CELLS)}")
        lines += [f"  {finding.problem}", f"  {finding.advice}", ""]
    teachers = sum(finding.source == "teacher" for finding in findings)
    origin = f", {teachers} of them from the teacher" if teachers else ""
    return "\n".join([*lines, f"{counted(len(findings), 'finding')}{origin}. {LINE_NUMBERS}"])


def _context_of(base: str, home: Home) -> int | None:
    """Return the base's context length in tokens, if its folder is already on this machine."""
    folder = folder_here(base, home)
    if folder is None:
        return None
    from engine.model.folder import read_model_folder

    try:
        return read_model_folder(folder).context_length
    except ModelError:
        return None
