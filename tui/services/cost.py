"""What a project costs: makes the estimate on the store's thread, finds models, and has the prompt's tokens counted.

Reading the price list takes a quarter of a second the first time, and a vocabulary longer: neither is done
where the screen is drawn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast

from textual.message import Message
from textual.message_pump import MessagePump

from engine.economics.estimate import Estimate
from engine.economics.figures import complete, estimate_costs
from engine.economics.measured import measure
from engine.economics.outlook import outcome
from engine.economics.prices import ListedModel, find_prices, models_like
from engine.economics.tokens import TokenCount, estimate_prompt_tokens
from engine.errors import DistillError
from engine.project import Project
from engine.records.cost import CostInputs, Figure
from engine.records.prompt import Prompt
from engine.store.dataclass_json import build
from tui.services.program import carry_out
from tui.services.store import StoreService
from tui.services.tokens import PromptTokens

MODELS_SHOWN = 6
AT = " @ "  # separates a model from its provider


@dataclass(frozen=True, slots=True)
class CostPage:
    """The current estimate. `costs` is None without a prompt or a model; `error` says what is missing."""

    inputs: CostInputs
    figures: Mapping[str, Figure]
    has_prompt: bool
    costs: Estimate | None
    error: DistillError | None


def look_for(text: str) -> tuple[ListedModel, ...]:
    """Find models by part of their name."""
    return models_like(text.partition(AT)[0], MODELS_SHOWN)


class PromptCounted(Message):
    """A token count for a model has arrived: estimates made without it can be updated."""


class CostService:
    """The cost of one project, and the exact counts of its prompt's tokens; `target` is told of a new one."""

    def __init__(self, store: StoreService, target: MessagePump) -> None:
        self._store = store
        self._target = target
        self._counts = PromptTokens(self._tell)

    def read(self, project: Project) -> CostPage:
        """Estimate with the stored inputs."""
        return self._page(project, project.settings.cost_inputs())

    def estimate(self, project: Project, inputs: CostInputs, *, keep: bool) -> CostPage:
        """Estimate with other inputs; `keep` stores them, which refreshes everything shown."""
        page = self._page(project, inputs)
        prompt = project.prompts.current()
        came = outcome(page.costs, prompt.prompt.sha256) if page.costs is not None and prompt else None
        if keep and (inputs, came) != (project.settings.cost_inputs(), project.settings.cost_outcome()):
            project.settings.write_cost(inputs, came)
        return page

    def _page(self, project: Project, inputs: CostInputs) -> CostPage:
        version, measured = project.prompts.current(), measure(project)
        if version is None:
            return CostPage(inputs, complete(inputs, measured, TokenCount(0, "", exact=True)), False, None, None)
        tokens = self._tokens(version.prompt, inputs.model)
        try:
            costs = estimate_costs(inputs, measured, tokens)
        except DistillError as error:
            return CostPage(inputs, complete(inputs, measured, tokens), True, None, error)
        return CostPage(inputs, costs.given.figures, True, costs, None)

    def _tokens(self, prompt: Prompt, model: str) -> TokenCount:
        """The exact count if known; otherwise an estimate, while the count is requested."""
        if not model or find_prices(model) is None:
            return estimate_prompt_tokens(prompt)
        return self._counts.of(prompt, partial(self._count, model), model)

    def _count(self, model: str) -> TokenCount:
        words = ["estimate", "--model", model, "--requests-per-day", "1"]
        found = cast("dict[str, object]", carry_out(words, self._store.folder, self._store.home)["tokens"])
        return build(TokenCount, {**found, "tokens": found["prompt"]})

    def _tell(self) -> None:
        if self._target.is_attached:  # the user may have left meanwhile
            self._target.post_message(PromptCounted())
