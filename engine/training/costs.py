"""What each part of a run costs, and which parts a configuration has: counted before anything is loaded. Pure.

The unit is the trained token: one that the student reads with gradients, or work that takes as long. What one takes in
seconds is the machine's business; that a run of one configuration took so long tells what one of another will take.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.records.dataset import DatasetRow
from engine.records.run import TrainingConfig
from engine.training.schedule import Schedule

# Measured on a CPU: of a token's forward pass, and of decoding one token of every question together, which takes as
# long for a few questions as for all of them.
SCORED_COST, DECODING_STEP_COST = 0.4, 20.0
VALIDATION_SHARE = 0.08  # of the run's own work that all validation passes together may cost
BEYOND_LONGEST = 8  # tokens that a sampled answer may be longer than the longest training answer
GENERAL_ANSWER_TOKENS = 128  # at most
GENERAL_QUESTIONS = 162  # that are bundled for training
_GENERAL_QUESTION_TOKENS = 30  # about
ROWS_BEHIND_A_PROMPT = 4
_PROMPT_SHARE = 0.25  # of the tokens that the student reads, that the prompt's own may add


@dataclass(frozen=True, slots=True)
class RowTokens:
    """Lengths of a dataset's training rows in tokens; all 0 where there are none."""

    question: float = 0.0  # in the mean
    answer: float = 0.0
    longest: int = 0  # question and answer
    longest_answer: int = 0
    prompt: int = 0  # about

    @property
    def mean(self) -> float:
        """Question and answer of a row."""
        return self.question + self.answer


def row_tokens(rows: Sequence[DatasetRow], prompt_tokens: int) -> RowTokens:
    """The lengths of training rows behind a prompt of so many tokens."""
    if not rows:
        return RowTokens(prompt=prompt_tokens)
    answers = [len(row.completion_ids) for row in rows]
    questions = [len(row.question_ids) for row in rows]
    return RowTokens(
        question=sum(questions) / len(rows),
        answer=sum(answers) / len(rows),
        longest=max(question + answer for question, answer in zip(questions, answers, strict=True)),
        longest_answer=max(answers),
        prompt=prompt_tokens,
    )


@dataclass(frozen=True, slots=True)
class Work:
    """All that a run has to do, in trained tokens; `first` and `second` are one step's of each stage."""

    once: float  # the teacher's distributions, the base's answers to general questions
    first: float
    first_steps: int
    second: float
    second_steps: int

    @property
    def steps(self) -> int:
        return self.first_steps + self.second_steps

    def until(self, step: int) -> float:
        """What is done after so many steps, evaluations included."""
        first = min(step, self.first_steps)
        return self.seconds(1.0, 1.0, first, step - first)

    def seconds(self, first_s: float, second_s: float, first_steps: int, second_steps: int) -> float:
        """How long so many steps of each stage take, evaluations included, where a token takes so long in each."""
        first, second = first_steps * self.first * first_s, second_steps * self.second * second_s
        return self.once * (first_s or second_s) + (first + second) * (1 + VALIDATION_SHARE)


def needs_teacher(config: TrainingConfig) -> bool:
    """Whether the prompted base's distributions at the training answers are used."""
    return config.objective != "cross_entropy" or config.prompt_back_weight > 0


def general_rows_a_step(rows_a_step: float, fraction: float) -> float:
    """How many general rows stand beside a step's own, so that they are `fraction` of all."""
    return rows_a_step * fraction / (1 - fraction)


def general_rows(config: TrainingConfig, rows: int) -> int:
    """How many general questions a run over so many training rows can use."""
    per_epoch = general_rows_a_step(rows, config.general_fraction)
    on_policy = general_rows_a_step(min(config.on_policy_batch_rows, rows), config.general_fraction)
    return math.ceil(per_epoch * config.epochs + on_policy * config.on_policy_steps)


def general_row_tokens(answer_tokens: int = GENERAL_ANSWER_TOKENS) -> int:
    """About as long as a general row is at most."""
    return _GENERAL_QUESTION_TOKENS + answer_tokens


def steps_between_prompts(prompt_tokens: int, row_tokens: float, batch_rows: int) -> int:
    """Every how many steps the student reads the prompt, so that it adds a quarter to a step or less."""
    return max(1, math.ceil(prompt_tokens / (_PROMPT_SHARE * row_tokens * batch_rows)))


def sampled_tokens(config: TrainingConfig, tokens: RowTokens) -> int:
    """How long an answer of the second stage can become."""
    return max(1, min(config.on_policy_answer_tokens, tokens.longest_answer + BEYOND_LONGEST))


def longest_pass_tokens(config: TrainingConfig, tokens: RowTokens) -> int:
    """The most tokens that the student reads at once with gradients."""
    longest = tokens.longest if config.last_epochs else 0
    if config.on_policy_steps:
        longest = max(longest, tokens.longest - tokens.longest_answer + sampled_tokens(config, tokens))
    if config.general_fraction:
        longest = max(longest, general_row_tokens())
    rows = config.micro_batch_rows
    behind_prompt = 0
    if config.prompt_back_weight:
        behind_prompt = tokens.prompt + min(rows, ROWS_BEHIND_A_PROMPT) * tokens.longest
    return max(rows * longest, behind_prompt)


def steps_of(config: TrainingConfig, rows: int) -> int:
    """The steps of the first stage over so many rows."""
    # Lengths decide which rows stand together, never how many steps there are.
    return Schedule((1,) * rows, config.batch_rows, config.epochs, config.seed, config.replanned).steps if rows else 0


def work_of(config: TrainingConfig, train: int, validation: int, tokens: RowTokens) -> Work:
    """The work of a whole run over so many rows of these lengths."""
    scored = validation + (train if needs_teacher(config) else 0)
    once = (tokens.prompt + scored * tokens.mean) * SCORED_COST
    if config.general_fraction:
        asked = min(general_rows(config, train), GENERAL_QUESTIONS)
        once += _decoding(asked, GENERAL_ANSWER_TOKENS, GENERAL_ANSWER_TOKENS)
        once += asked * general_row_tokens() * SCORED_COST
    first_steps = steps_of(config, train)
    in_a_step = train / math.ceil(train / config.batch_rows) if train else 0.0
    asked_a_step = min(config.on_policy_batch_rows, train)
    first = in_a_step * tokens.mean + _beside(config, in_a_step, tokens)
    second = (
        _decoding(asked_a_step, sampled_tokens(config, tokens), tokens.answer)
        + asked_a_step * tokens.mean * (1 + SCORED_COST)
        + _beside(config, asked_a_step, tokens)
    )
    return Work(once, first, first_steps, second, config.on_policy_steps)


def _decoding(rows: int, steps: float, tokens: float) -> float:
    """Of `rows` answers with `tokens` each in the mean, the longest with `steps`."""
    return steps * DECODING_STEP_COST + rows * tokens * SCORED_COST


def _beside(config: TrainingConfig, rows: float, tokens: RowTokens) -> float:
    """Of the terms that stand beside the own one of a step of `rows` rows."""
    cost = general_rows_a_step(rows, config.general_fraction) * general_row_tokens()
    if config.prompt_back_weight and tokens.mean:
        every = steps_between_prompts(tokens.prompt, tokens.mean, config.batch_rows)
        cost += (tokens.prompt + ROWS_BEHIND_A_PROMPT * tokens.mean) / every
    return cost
