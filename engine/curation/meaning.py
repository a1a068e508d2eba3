"""Which examples are meant if no prompt is named: those of the current one, in lists and decisions alike.

Knows nothing of what is done with them.
"""

from dataclasses import replace

from engine.project import Project
from engine.records.selection import Selection
from engine.store.examples import ExampleCounts


def meant(project: Project, selection: Selection) -> Selection | None:
    """Return the selection with its prompt set: ids alone may be of any prompt, all else is of the current one.

    None if there is no prompt, so that nothing can match.
    """
    if selection.prompt_sha256 is not None or only_ids(selection):
        return selection
    prompt = project.prompts.current()
    return None if prompt is None else replace(selection, prompt_sha256=prompt.prompt.sha256)


def only_ids(selection: Selection) -> bool:
    """Whether examples are selected by id only, without any filter."""
    return bool(selection.ids) and selection == Selection(ids=selection.ids)


def counts_of_now(project: Project) -> ExampleCounts:
    """Count the examples of the current prompt, by decision."""
    prompt = project.prompts.current()
    return ExampleCounts() if prompt is None else project.examples.counts(prompt.prompt.sha256)
