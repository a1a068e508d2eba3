"""Asking the teacher again: which attempts come next, with the options of the project's last generation.

Knows nothing of why another answer is wanted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from engine.project import Project
from engine.records.options import GenerateOptions, TeacherSpec

_WARM = 1.0  # at temperature 0 the teacher would repeat its answer


def options_again(project: Project, question_ids: Iterable[int]) -> GenerateOptions:
    """Return options for one more answer to each question, otherwise as in the project's last generation."""
    teacher = project.settings.read().teacher
    options = last_options(project, teacher)
    return replace(
        options,
        asks=next_asks(project, teacher, question_ids),
        samples=1,
        limit=None,
        stop_when_accepted=False,
        temperature=options.temperature or _WARM,
    )


def options_for(project: Project, wanted: Mapping[int, int]) -> GenerateOptions:
    """Return options for more answers (question id → how many more), otherwise as in the project's last generation.

    Numbering continues after the attempts already made for the current prompt; answers to older versions do not count.
    """
    teacher = project.settings.read().teacher
    first = dict(next_asks(project, teacher, wanted))
    asks = tuple(
        (question_id, first[question_id] + more) for question_id, count in wanted.items() for more in range(count)
    )
    return replace(last_options(project, teacher), asks=asks, samples=1, limit=None, stop_when_accepted=False)


def next_asks(
    project: Project, teacher: TeacherSpec, question_ids: Iterable[int], samples: int = 1
) -> tuple[tuple[int, int], ...]:
    """Return this teacher's next `samples` attempts at each of these questions: (question id, attempt)."""
    ids = list(dict.fromkeys(question_ids))
    prompt = project.prompts.current()
    sha256 = prompt.prompt.sha256 if prompt is not None else ""
    first = project.examples.next_attempts(ids, sha256, teacher.name)
    return tuple((question_id, first[question_id] + sample) for sample in range(samples) for question_id in ids)


def last_options(project: Project, teacher: TeacherSpec) -> GenerateOptions:
    """Return the options of this teacher's last generation, or the defaults if there was none."""
    for _, options in project.jobs.of_kind(GenerateOptions):
        if options.teacher == teacher:
            return options
    return GenerateOptions(teacher=teacher, temperature=project.settings.read().serving_temperature)
