"""Which questions a generation covers: all of its splits, or with a limit, a proportional share of each topic.

Knows nothing of questions requested by id, nor of stored answers.
"""

from typing import TYPE_CHECKING

from engine.questions.sampling import stable_sample
from engine.records.options import GenerateOptions

if TYPE_CHECKING:
    from engine.project import Project


def chosen_ids(project: "Project", options: GenerateOptions) -> frozenset[int]:
    """Return the ids of the splits' questions, up to the limit; raising the limit later only adds questions."""
    return stable_sample(project.questions.groups(options.splits), options.limit)
