"""The form for a project's settings: its student, teacher and judge, and the temperature at which it will be served."""

from engine.clean import clean_line
from engine.economics.prices import with_own_prices
from engine.errors import DistillError, UsageError
from engine.records.options import ProjectSettings, TeacherSpec
from engine.wording import counted
from tui.forms.checks import number
from tui.forms.opening import open_if_shown
from tui.forms.screen import NOTHING, Field, FormScreen, Values
from tui.forms.teacher import (
    LOCAL,
    endpoint_fields,
    endpoint_of,
    host_text,
    prices_of,
    prices_typed,
    student_field,
    teacher_of,
    teaching_text,
)
from tui.services.facts import Facts
from tui.services.project_settings import SettingsWriting, TypedKey
from tui.services.store import StoreService
from tui.widgets.placed import PlacedScreen

NO_JUDGE = "none"
_TEMPERATURE = number(0.0, 2.0)


def change_settings(facts: Facts, store: StoreService, screen: PlacedScreen[None]) -> None:
    """Ask for the settings; store them, then say so."""
    before = facts.settings

    async def write(values: Values, typed: ProjectSettings) -> None:
        writing = SettingsWriting(typed, typed_keys(values, typed))
        try:
            settings = await store.answer(writing.carry_out)
        except UsageError as error:
            form = settings_form(facts, values, {writing.field: clean_line(error.message)})
            if not open_if_shown(form, answered, screen, "workspace.settings"):
                screen.say_error(error)
        except DistillError as error:
            screen.say_error(error)
        else:
            screen.notify("Settings changed." if settings != before else "Settings kept.", timeout=3)

    def answered(values: dict[str, str] | None) -> None:
        if values is not None:
            screen.run_worker(write(values, wanted(values, before)))

    open_if_shown(settings_form(facts), answered, screen, "workspace.settings")


def settings_form(facts: Facts, values: Values = NOTHING, errors: Values = NOTHING) -> FormScreen:
    """Return the form, filled with the project's settings, or with what was typed before and is wrong."""
    before = facts.settings
    form = FormScreen(
        "Project settings",
        [
            student_field(before.student_base),
            Field("temperature", "served at temperature", f"{before.serving_temperature:g}", check=_TEMPERATURE),
            *endpoint_fields("teacher", "teacher", LOCAL, before.teacher, lambda: form.values, before.prices),
            *endpoint_fields("judge", "judge of rubrics", NO_JUDGE, before.judge, lambda: form.values, before.prices),
        ],
        go="store", aside=lambda values: consequences(values, facts),
        pending="What this means appears once every field is valid.", values=values, errors=errors,
    )  # fmt: skip
    return form


def wanted(values: Values, before: ProjectSettings) -> ProjectSettings:
    """The settings that the form describes, each field valid, with models by the names that were typed.

    A teacher that was the student's base, and was not changed, stays the student's base.
    """
    student, teacher, judge = values["student"], teacher_of(values), endpoint_of(values, "judge")
    if before.other_teacher is None and teacher == before.teacher:
        teacher = TeacherSpec("local", student)
    prices = before.prices
    for spec, earlier, name in ((teacher, before.teacher, "prices"), (judge, before.judge, "judge_prices")):
        if spec is None or spec.kind != "endpoint":
            continue
        if spec == earlier and values[name] == prices_typed(before.prices, earlier):
            continue  # or the judge's old prices would undo those just typed for the same model as the teacher
        if values[name] or spec == earlier:  # another model whose prices were not typed keeps those it may have
            prices = with_own_prices(prices, spec.model, spec.base_url, prices_of(values[name]))
    return ProjectSettings(student, float(values["temperature"]), teacher, judge, prices)


def typed_keys(values: Values, settings: ProjectSettings) -> tuple[TypedKey, ...]:
    """The keys that were typed for endpoints, with their addresses."""
    models = ((settings.teacher, values["key"]), (settings.judge, values["judge_key"]))
    return tuple((spec.base_url, key) for spec, key in models if spec is not None and spec.kind == "endpoint" and key)


def consequences(values: Values, facts: Facts) -> str:
    """What the values mean for the project, in short lines."""
    settings = wanted(values, facts.settings)
    lines = [teaching_text(settings)]
    rubrics = sum(rule.needs_judge for rule in facts.rules)
    if settings.judge is not None:
        lines.append(f"Answers are sent to {host_text(settings.judge)} for {counted(rubrics, 'rubric')}.")
    elif rubrics:
        lines.append(f"Without a judge, {counted(rubrics, 'rubric')} cannot be measured.")
    for name, spec in (("teacher", settings.teacher), ("judge", settings.judge)):
        if own := prices_typed(settings.prices, spec):
            lines.append(f"The {name} costs {' / '.join(f'${each}' for each in own.split())} per million tokens.")
    if facts.dataset is not None and facts.dataset.base != settings.student_base:
        lines.append(f"The dataset is for {clean_line(facts.dataset.base)}: freeze it again before training.")
    return "\n".join(lines)
