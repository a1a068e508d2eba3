"""What a project's estimate came to, kept for where reckoning it anew would take too long, and renewed by those who
measure something.

Knows nothing of who shows it.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from engine.economics.figures import Costs, reckon
from engine.economics.measured import measure
from engine.economics.outlook import outcome
from engine.economics.tokens import count_prompt_tokens
from engine.errors import DistillError, StoreError
from engine.records.cost import CostInputs

if TYPE_CHECKING:
    from engine.project import Project


def reckon_project(project: "Project", inputs: CostInputs) -> tuple[Costs, str]:
    """The estimate with what is measured until now, and the SHA-256 of the prompt that it is of.

    Raises `NotFoundError` without a prompt, `UsageError` where the model or its prices are not known.
    """
    prompt = project.prompts.require()
    tokens = count_prompt_tokens(prompt, inputs.model, project.home)
    return reckon(inputs, measure(project), tokens), prompt.sha256


def renew_outcome(project: "Project") -> None:
    """Reckon anew what the project remembers of its cost, now that more is measured; nothing where it remembers none.

    Where it cannot be reckoned any more, nothing is remembered: what does not hold is not shown.
    """
    inputs, kept = project.settings.cost_inputs(), project.settings.cost_outcome()
    if kept is None:
        return
    came = None
    with suppress(DistillError):
        costs, sha256 = reckon_project(project, inputs)
        came = outcome(costs.result, sha256)
    with suppress(StoreError), project.transaction():  # the station that measured is done, whatever becomes of this
        if project.settings.cost_inputs() == inputs:  # a person may have typed others meanwhile, and knows what came
            project.settings.write_cost(inputs, came)
