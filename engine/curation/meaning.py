"""Which examples are meant, in lists and decisions alike: if no prompt is named, those of the current one.

Knows nothing of what is done with them.
"""

from collections.abc import Iterator
from dataclasses import replace

from engine.project import Project
from engine.records.example import ExampleCounts
from engine.records.selection import Selection

_READ_TOGETHER = 1000


def meant(project: Project, selection: Selection) -> Selection | None:
    """Return the selection as the store can search it, with its prompt set.

    Ids alone may be of any prompt, all else is of the current one. None if nothing can match.
    """
    if selection.prompt_sha256 is None and not only_ids(selection):
        prompt = project.prompts.current()
        if prompt is None:
            return None
        selection = replace(selection, prompt_sha256=prompt.prompt.sha256)
    if not selection.contains:
        return selection
    ids = tuple(_containing(project, selection))
    return Selection(ids=ids) if ids else None


def only_ids(selection: Selection) -> bool:
    """Whether examples are selected by id only, without any filter."""
    return bool(selection.ids) and selection == Selection(ids=selection.ids)


def _containing(project: Project, selection: Selection) -> Iterator[int]:
    sought = selection.contains.casefold()
    for offset in range(0, project.examples.count(selection), _READ_TOGETHER):
        for curated in project.examples.window(offset, _READ_TOGETHER, selection):
            if sought in curated.answer.casefold():
                yield curated.example.id


def counts_of_now(project: Project) -> ExampleCounts:
    """Count the examples of the current prompt, by decision."""
    prompt = project.prompts.current()
    return ExampleCounts() if prompt is None else project.examples.counts(prompt.prompt.sha256)
