"""The forms of the prompt pane that are not about a rule: questions to try, and files to import."""

from engine.teachers.outlook import why_unpaid
from tui.forms.checks import whole
from tui.forms.screen import Field, FormScreen, Values
from tui.services.facts import Facts
from tui.undoing import offer

_COUNT = whole(1, 20)
REPLACE = "replace"


def trial_form(facts: Facts) -> FormScreen:
    """Return a form with `question`, which may be empty, and, if questions are stored, their `count` to use."""
    stored = sum(count for _, count in facts.questions)

    def nothing_to_ask(values: Values) -> str:
        return "" if values["question"] or stored else "The project has no questions yet: type one."

    def aside(values: Values) -> str:
        teacher = facts.settings.teacher
        unpaid = why_unpaid(teacher, facts.settings.prices)
        cost = f"free, {unpaid}" if unpaid else "billed by its provider"
        what = f"{teacher.name} answers {_asked(values, stored)}, with the prompt of {facts.prompt_tokens} tokens"
        return f"{what}: {cost}. Nothing is stored."

    fields = (
        Field("question", "question", hint="empty: use stored questions" if stored else "what a user would ask"),
        Field("count", "stored questions", str(min(3, max(stored, 1))), check=_COUNT),
    )
    return FormScreen("Try the prompt", fields if stored else fields[:1], go="ask", aside=aside, whole=nothing_to_ask)


def prompt_file_form(path: str) -> FormScreen:
    """Return a form for the `path` of a prompt file, filled in with `path`."""
    words = "Markdown, YAML or OpenAI chat JSON. Nothing is stored until you save it."
    return FormScreen("Import a prompt", [_path(path, "prompt.md")], go="read", aside=lambda _: words)


def rules_file_form(path: str) -> FormScreen:
    """Return a form for the `path` of a rules file, filled in with `path`, and `how` to treat existing rules."""
    fields = (_path(path, "rules.yaml"), Field("how", "existing rules", choices=("keep", REPLACE)))
    words = f"YAML: a list of rules, each with its text and check. {offer('rules.undo')}"
    return FormScreen("Import rules", fields, go="read", aside=lambda _: words)


def _path(path: str, hint: str) -> Field:
    return Field("path", "file", path, hint, path=True, check=lambda path: "" if path else "Enter a path.")


def _asked(values: Values, stored: int) -> str:
    if values["question"] or not stored:
        return "this question"
    asked = 0 if _COUNT(values["count"]) else min(int(values["count"]), stored)
    return "1 question" if asked == 1 else f"{asked} questions"
