"""The stored result of a project's estimate, for views where computing it again would take too long.

Stages that measure something renew it. Knows nothing of who shows it.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from engine.economics.estimate import Estimate
from engine.economics.figures import estimate_costs
from engine.economics.measured import measure
from engine.economics.outlook import outcome
from engine.economics.tokens import count_prompt_tokens
from engine.errors import DistillError, StoreError
from engine.records.cost import CostInputs

if TYPE_CHECKING:
    from engine.project import Project


def estimate_project(project: "Project", inputs: CostInputs) -> tuple[Estimate, str]:
    """Return the estimate from everything measured so far, and the SHA-256 of its prompt.

    Raises `NotFoundError` without a prompt, `UsageError` if the model or its prices are not known.
    """
    prompt = project.prompts.require()
    tokens = count_prompt_tokens(prompt, inputs.model, project.home)
    return estimate_costs(inputs, measure(project), tokens), prompt.sha256


def refresh_outcome(project: "Project") -> None:
    """Compute the project's stored outcome again, now that more is measured; do nothing if none is stored.

    If it can no longer be computed, the stored outcome is removed, because an outdated one must not be shown.
    """
    inputs, kept = project.settings.cost_inputs(), project.settings.cost_outcome()
    if kept is None:
        return
    came = None
    with suppress(DistillError):
        came = outcome(*estimate_project(project, inputs))
    with suppress(StoreError), project.transaction():  # the stage that measured has succeeded, whether or not this does
        if project.settings.cost_inputs() == inputs:  # if the user changed the inputs meanwhile, that outcome is newer
            project.settings.write_cost(inputs, came)
