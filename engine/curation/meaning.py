"""Which examples are meant where nobody names a prompt: those of the current one, in lists as in decisions.

Knows nothing of what is done with them.
"""

from dataclasses import replace

from engine.project import Project
from engine.records.selection import Selection
from engine.store.examples import ExampleCounts


def meant(project: Project, selection: Selection) -> Selection | None:
    """The selection with its prompt: ids alone mean examples of any prompt, all else those of the current one.

    None where it can mean nothing, for want of a prompt.
    """
    if selection.prompt_sha256 is not None or only_ids(selection):
        return selection
    prompt = project.prompts.current()
    return None if prompt is None else replace(selection, prompt_sha256=prompt.prompt.sha256)


def only_ids(selection: Selection) -> bool:
    """Whether examples are named one by one, and nothing else is said of them."""
    return bool(selection.ids) and selection == Selection(ids=selection.ids)


def counts_of_now(project: Project) -> ExampleCounts:
    """How many examples of the current prompt there are, by what was decided about them."""
    prompt = project.prompts.current()
    return ExampleCounts() if prompt is None else project.examples.counts(prompt.prompt.sha256)
