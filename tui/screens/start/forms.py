"""The questions that the list of projects asks: what a new project is, what a copy takes along, whether to delete."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from engine.clean import clean_line
from engine.records.options import TeacherSpec
from engine.teachers.keys import check_address
from tui.forms.screen import Field, FormScreen, Values
from tui.forms.teacher import address_trouble
from tui.keys import key_of
from tui.screens.start.drawing import tilde
from tui.screens.start.state import StartState
from tui.services.projects import Kept, NewProject, ProjectSummary, name_trouble

STUDENT_ITSELF, ENDPOINT = "the student itself", "an endpoint"
KEPT: Mapping[str, Kept] = {"questions": "questions", "and examples": "examples", "and runs": "runs"}
_KEPT_SENTENCES: Mapping[Kept, str] = {
    "questions": "Prompt, rules, questions and settings come along.",
    "examples": "Prompt, rules, questions and settings come along, and the examples with their decisions.",
    "runs": "Everything comes along but jobs, releases and runs that have not ended.",
}
WHOLE, QUICK = "the whole one", "a quick one"
DEMO_SENTENCES: Mapping[str, str] = {
    WHOLE: "532 questions, and the proof that every rule survived: about 13 minutes on two cores.",
    QUICK: "125 questions and a weaker proof: about 3 minutes on two cores.",
}


def new_form(
    state: StartState, prompt_words: Callable[[str], str], values: Values | None = None, errors: Values | None = None
) -> FormScreen:
    """Asks what a new project is. `prompt_words` tells how large the prompt in a file is."""
    before = values or {}

    def of_an_endpoint(missing: str) -> Callable[[str], str]:
        return lambda value: missing if form.values["teacher"] == ENDPOINT and not value else ""

    def address_wrong(value: str) -> str:
        return address_trouble(value) if form.values["teacher"] == ENDPOINT else ""

    def aside(now: Values) -> str:
        words = prompt_words(now["prompt"]) if now["prompt"] else "Without a file, the prompt is written next."
        return f"{_teacher_words(now)}\n{words}"

    form = FormScreen(
        "New project",
        [
            Field("name", "name", before.get("name", ""), "such as support-desk", check=_name_check(state), live=True),
            Field("student", "student", before.get("student", "starter"), "starter, a folder, or a hub's owner/name",
                  path=True, check=lambda value: "" if value else "starter, a folder, or a hub's owner/name."),
            Field("teacher", "teacher", before.get("teacher", STUDENT_ITSELF), choices=(STUDENT_ITSELF, ENDPOINT)),
            Field("model", "  its model", before.get("model", ""), "for an endpoint: the model's name there",
                  check=of_an_endpoint("An endpoint serves several models: name one.")),
            Field("address", "  its address", before.get("address", ""), "for an endpoint: https://host/v1",
                  check=address_wrong),
            Field("prompt", "prompt file", before.get("prompt", ""), "may be left empty", path=True),
        ],
        go="make it", aside=aside, errors=errors,
    )  # fmt: skip
    return form


def wanted(values: Values) -> NewProject:
    """What the form of a new project says."""
    if values["teacher"] == ENDPOINT:
        teacher = TeacherSpec("endpoint", values["model"], check_address(values["address"]))
    else:
        teacher = TeacherSpec("local", values["student"])
    return NewProject(values["name"], values["student"], teacher, values["prompt"])


def duplicate_form(
    state: StartState, project: ProjectSummary, values: Values | None = None, errors: Values | None = None
) -> FormScreen:
    """Asks for the name of a copy, and what comes along."""
    before = values or {}
    return FormScreen(
        f"Duplicate {clean_line(project.name)}",
        [
            Field("name", "name", before.get("name", state.free_name(project.name)),
                  check=_name_check(state), live=True),
            Field("kept", "what comes along", before.get("kept", ""), choices=tuple(KEPT)),
        ],
        go="duplicate", aside=lambda now: _KEPT_SENTENCES[KEPT[now["kept"]]], errors=errors,
    )  # fmt: skip


def demo_form() -> FormScreen:
    """Asks how much of the demo is to be done."""
    return FormScreen(
        "Run the demo",
        [Field("size", "how much", choices=(WHOLE, QUICK))],
        go="run it",
        aside=lambda now: (
            f"{DEMO_SENTENCES[now['size']]}\nA bundled prompt goes into the starter model, on this machine alone."
        ),
    )


def delete_form(project: ProjectSummary) -> FormScreen:
    """Asks for the name, because nothing brings a deleted project back."""
    name = clean_line(project.name)
    return FormScreen(
        f"Delete {name}?",
        [Field("name", "type its name", hint=name, check=lambda value: _same(value, project.name))],
        go="delete for good",
        aside=lambda _values: (
            f"Its prompt, questions, examples, runs and releases go, with {tilde(str(project.folder))}.\n"
            f"This cannot be undone; {key_of('start.archive')} archives it instead."
        ),
    )


def _name_check(state: StartState) -> Callable[[str], str]:
    def trouble(value: str) -> str:
        if not value:
            return "A project needs a name."
        return "There is a project of this name." if value in state.names else name_trouble(value)

    return trouble


def _same(value: str, name: str) -> str:
    """A name that no keyboard writes is typed as it is shown."""
    return "" if value in (name, clean_line(name)) else f"It is called {clean_line(name)}."


def _teacher_words(values: Values) -> str:
    if values["teacher"] == STUDENT_ITSELF:
        return "The student's base answers with the prompt, which stays on this machine."
    try:
        host = urlsplit(values["address"]).hostname
    except ValueError:
        host = None
    return f"Prompt and questions go to {clean_line(host or 'that address')}, which answers them."
