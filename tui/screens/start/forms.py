"""The forms of the project list: a new project, a copy, the demo, deleting."""

from collections.abc import Callable, Mapping

from engine.clean import clean_line
from engine.records.options import ProjectSettings, TeacherSpec
from tui.forms.screen import NOTHING, Field, FormScreen, Values
from tui.forms.teacher import endpoint_fields, endpoint_of, student_field, teaching_text
from tui.keys import key_of
from tui.screens.start.drawing import tilde
from tui.screens.start.state import StartState
from tui.services.projects import Kept, NewProject, ProjectSummary, name_trouble

_STUDENT_ITSELF = "the student itself"
KEPT: Mapping[str, Kept] = {"questions": "questions", "and examples": "examples", "and runs": "runs"}
_KEPT_SENTENCES: Mapping[Kept, str] = {
    "questions": "Copies prompt, rules, questions and settings.",
    "examples": "Copies prompt, rules, questions, settings, and examples with their decisions.",
    "runs": "Copies everything except jobs, releases and unfinished runs.",
}
WHOLE, QUICK = "full", "quick"
DEMO_SENTENCES: Mapping[str, str] = {
    WHOLE: "532 questions and the full proof: about 13 minutes on two cores.",
    QUICK: "125 questions and a weaker proof: about 3 minutes on two cores.",
}


def new_form(
    state: StartState, prompt_words: Callable[[str], str], values: Values = NOTHING, errors: Values = NOTHING
) -> FormScreen:
    """Ask for a new project. `prompt_words` describes the prompt in a file."""

    def aside(now: Values) -> str:
        words = prompt_words(now["prompt"]) if now["prompt"] else "Without a file, write the prompt next."
        return f"{teaching_text(wanted(now).settings)}\n{words}"

    form = FormScreen(
        "New project",
        [
            Field("name", "name", hint="such as support-desk", check=_name_check(state), live=True),
            student_field("starter"),
            *endpoint_fields("teacher", "teacher", _STUDENT_ITSELF, None, lambda: form.values),
            Field("prompt", "prompt file", hint="optional", path=True),
        ],
        go="create", aside=aside, values=values, errors=errors,
    )  # fmt: skip
    return form


def wanted(values: Values) -> NewProject:
    """The values of the new-project form."""
    student = values["student"]
    settings = ProjectSettings(student, teacher=endpoint_of(values) or TeacherSpec("local", student))
    return NewProject(values["name"], settings, values["prompt"], values["key"])


def duplicate_form(
    state: StartState, project: ProjectSummary, values: Values = NOTHING, errors: Values = NOTHING
) -> FormScreen:
    """Ask for the name of a copy, and what to copy."""
    return FormScreen(
        f"Duplicate {clean_line(project.name)}",
        [
            Field("name", "name", state.free_name(project.name), check=_name_check(state), live=True),
            Field("kept", "what to copy", choices=tuple(KEPT)),
        ],
        go="duplicate", aside=lambda now: _KEPT_SENTENCES[KEPT[now["kept"]]], values=values, errors=errors,
    )  # fmt: skip


def demo_form() -> FormScreen:
    """Ask which demo to run."""
    return FormScreen(
        "Run the demo",
        [Field("size", "how much", choices=(WHOLE, QUICK))],
        go="run",
        aside=lambda now: (
            f"{DEMO_SENTENCES[now['size']]}\nDistils a bundled prompt into the starter model, all on this machine."
        ),
    )


def delete_form(project: ProjectSummary) -> FormScreen:
    """Ask for the name as confirmation, because deleting cannot be undone."""
    name = clean_line(project.name)
    return FormScreen(
        f"Delete {name}?",
        [Field("name", "type its name", check=lambda value: _same(value, project.name))],
        go="delete",
        aside=lambda _values: (
            f"Deletes its prompt, questions, examples, runs and releases in {tilde(str(project.folder))}.\n"
            f"This cannot be undone. To hide it instead, archive it with {key_of('start.archive')}."
        ),
    )


def _name_check(state: StartState) -> Callable[[str], str]:
    def trouble(value: str) -> str:
        if not value:
            return "A project needs a name."
        return "A project with this name exists." if value in state.names else name_trouble(value)

    return trouble


def _same(value: str, name: str) -> str:
    """Accept the name as shown, too: some names cannot be typed."""
    return "" if value in (name, clean_line(name)) else f"It is called {clean_line(name)}."
