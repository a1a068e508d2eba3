"""The work of a whole run, counted in trained tokens before anything is loaded. Pure."""

import math
from dataclasses import dataclass

from engine.records.run import TrainingConfig
from engine.training.costs import (
    DECODING_STEP_COST,
    GENERAL_ANSWER_TOKENS,
    GENERAL_QUESTIONS,
    GENERAL_ROW_TOKENS,
    ROWS_PER_SHARED_PROMPT,
    SCORED_COST,
    RowTokens,
    decoding_cost,
    decoding_step_cost,
    first_step_cost,
    general_rows,
    general_rows_a_step,
    needs_teacher,
    second_step_cost,
    steps_between_prompts,
)
from engine.training.schedule import Schedule, evaluation_steps
from engine.training.validation_plan import ValidationPlan, plan_validation


@dataclass(frozen=True, slots=True)
class Work:
    """The work of a run, in trained tokens; `first` and `second` are that of one step of each stage."""

    once: float  # the teacher's distributions, the base's answers to general questions
    first: float
    first_steps: int
    second: float
    second_steps: int
    validation: ValidationPlan

    @property
    def steps(self) -> int:
        return self.first_steps + self.second_steps

    @property
    def validation_share(self) -> float:
        """Share of validation in steps and validation together; what is done once is left out."""
        trained = self.first_steps * self.first + self.second_steps * self.second
        return self.validation.cost / (trained + self.validation.cost) if trained else 0.0

    def until(self, step: int) -> float:
        """The work done after `step` steps, evaluations included."""
        first = min(step, self.first_steps)
        return self.seconds(1.0, 1.0, first, step - first)

    def seconds(self, first_s: float, second_s: float, first_steps: int, second_steps: int) -> float:
        """How long these steps take, evaluations included; `first_s` and `second_s` are per token of each stage."""
        stepped = first_steps * self.first * first_s + second_steps * self.second * second_s
        return self.once * (first_s or second_s) + stepped / (1 - self.validation_share)


def steps_of(config: TrainingConfig, rows: int) -> int:
    """Return the number of first-stage steps over `rows` rows."""
    # Lengths decide which rows are batched together, never how many steps there are.
    return Schedule((1,) * rows, config.batch_rows, config.epochs, config.seed, config.replanned).steps if rows else 0


def work_of(config: TrainingConfig, train: int, validation: int, tokens: RowTokens, *, on_gpu: bool = False) -> Work:
    """Return the work of a whole run over this many rows of these lengths."""
    step_cost = decoding_step_cost(on_gpu=on_gpu)
    scored = validation + (train if needs_teacher(config) else 0)
    once = (tokens.prompt + scored * tokens.mean) * SCORED_COST
    if config.general_fraction:
        asked = min(general_rows(config, train), GENERAL_QUESTIONS)
        once += decoding_cost(asked, GENERAL_ANSWER_TOKENS, GENERAL_ANSWER_TOKENS, step_cost)
        once += asked * GENERAL_ROW_TOKENS * SCORED_COST
    first_steps = steps_of(config, train)
    in_a_step = train / math.ceil(train / config.batch_rows) if train else 0.0
    asked_a_step = min(config.on_policy_batch_rows, train)
    first = in_a_step * tokens.mean + _beside(config, in_a_step, tokens, first_step_cost(config, tokens))
    second = second_step_cost(config, train, tokens, step_cost)
    second += _beside(config, asked_a_step, tokens, second_step_cost(config, train, tokens, DECODING_STEP_COST))
    stages = [steps for steps in (first_steps, config.on_policy_steps) if steps]
    points = 1 + sum(len(evaluation_steps(steps, config.evaluations)) for steps in stages)
    trained = first_steps * first + config.on_policy_steps * second
    plan = plan_validation(trained, points, validation or train, tokens, on_gpu=on_gpu)
    return Work(once, first, first_steps, second, config.on_policy_steps, plan)


def _beside(config: TrainingConfig, rows: float, tokens: RowTokens, own: float) -> float:
    """Return the cost of the terms beside a step's own term, which has `rows` rows and costs about `own`."""
    cost = general_rows_a_step(rows, config.general_fraction) * GENERAL_ROW_TOKENS
    if config.prompt_back_weight and tokens.mean:
        every = steps_between_prompts(tokens.prompt, own)
        cost += (tokens.prompt + ROWS_PER_SHARED_PROMPT * tokens.mean) / every
    return cost
