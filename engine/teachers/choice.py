"""Which questions a generation is about: all of its splits, or of every split and topic their share.

Knows nothing of what is asked by name, nor of what is answered.
"""

from typing import TYPE_CHECKING

from engine.questions.spread import growing_share
from engine.records.options import GenerateOptions

if TYPE_CHECKING:
    from engine.project import Project


def chosen_ids(project: "Project", options: GenerateOptions) -> frozenset[int]:
    """The questions of the splits, as many as the limit allows; a wider limit later adds others to the same ones."""
    return growing_share(project.questions.groups(options.splits), options.limit)
