"""The work of a whole run, counted in trained tokens before anything is loaded. Pure."""

import math
from dataclasses import dataclass

from engine.records.run import TrainingConfig
from engine.training.costs import (
    DECODING_STEP_COST,
    GENERAL_ANSWER_TOKENS,
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
class StepsWork:
    """The work of a stage's steps, in trained tokens. The last of each `every` steps also reads the prompt."""

    own: float
    prompt: float = 0.0
    every: int = 1

    @property
    def mean(self) -> float:
        return self.own + self.prompt / self.every

    def of(self, first: int, last: int) -> float:
        """Return the work of the steps from `first` up to `last`."""
        return (last - first) * self.own + (last // self.every - first // self.every) * self.prompt


@dataclass(frozen=True, slots=True)
class Work:
    """The work of a run, in trained tokens."""

    once: float  # the teacher's distributions, the base's answers to general questions
    first_step: StepsWork
    first_steps: int
    second_step: StepsWork
    second_steps: int
    validation: ValidationPlan

    @property
    def first(self) -> float:
        """The work of a step of the first stage, on average."""
        return self.first_step.mean

    @property
    def second(self) -> float:
        """The same of the second stage."""
        return self.second_step.mean

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
        asked = general_rows(config, train)
        once += decoding_cost(asked, GENERAL_ANSWER_TOKENS, GENERAL_ANSWER_TOKENS, step_cost)
        once += asked * GENERAL_ROW_TOKENS * SCORED_COST
    first_steps = steps_of(config, train)
    in_a_step = train / math.ceil(train / config.batch_rows) if train else 0.0
    asked_a_step = min(config.on_policy_batch_rows, train)
    own = in_a_step * tokens.mean + _general(config, in_a_step)
    first = StepsWork(own, *_prompt(config, tokens, first_step_cost(config, tokens), first_steps))
    own = second_step_cost(config, train, tokens, step_cost) + _general(config, asked_a_step)
    plain = second_step_cost(config, train, tokens, DECODING_STEP_COST)
    second = StepsWork(own, *_prompt(config, tokens, plain, config.on_policy_steps))
    stages = [steps for steps in (first_steps, config.on_policy_steps) if steps]
    points = 1 + sum(len(evaluation_steps(steps, config.evaluations)) for steps in stages)
    trained = first_steps * first.mean + config.on_policy_steps * second.mean
    plan = plan_validation(trained, points, validation or train, tokens, on_gpu=on_gpu)
    return Work(once, first, first_steps, second, config.on_policy_steps, plan)


def _general(config: TrainingConfig, rows: float) -> float:
    """Return the cost of the general questions beside a step's own `rows`."""
    return general_rows_a_step(rows, config.general_fraction) * GENERAL_ROW_TOKENS


def _prompt(config: TrainingConfig, tokens: RowTokens, plain: float, steps: int) -> tuple[float, int]:
    """Return what it costs to read the prompt once, and every how many of a stage's `steps` that is done.

    `plain` is the cost of a step without any term beside its own.
    """
    if not config.prompt_back_weight or not tokens.mean:
        return 0.0, 1
    every = min(steps_between_prompts(tokens.prompt, plain), max(1, steps))
    return tokens.prompt + ROWS_PER_SHARED_PROMPT * tokens.mean, every
