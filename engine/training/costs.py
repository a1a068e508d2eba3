"""What each part of a step costs, and which parts a configuration has: counted before anything is loaded. Pure.

The unit is the trained token: one that the student reads with gradients, or work that takes as long. What one takes in
seconds is the machine's business; that a run of one configuration took so long tells what one of another will take.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.records.dataset import DatasetRow
from engine.records.run import TrainingConfig

# Measured on a CPU in bfloat16: of a token's forward pass; and of one step of decoding, which takes long even for a
# single answer, with each answer's own token beside that.
SCORED_COST, DECODING_STEP_COST = 0.4, 14.0
# Reckoned, not measured: a step waits some 30 ms for its launches, in which a GPU trains hundreds of tokens of an 8B
# model, and thousands of a small one. So there a run measures it itself (`sampling_pace`).
DECODING_STEP_COST_ON_GPU = 400.0
BEYOND_LONGEST = 8  # tokens that a sampled answer may be longer than the longest training answer
GENERAL_ANSWER_TOKENS = 64  # at most: they cost a step as much as its own rows do
GENERAL_QUESTIONS = 162  # that are bundled for training
GENERAL_ROW_TOKENS = 30 + GENERAL_ANSWER_TOKENS  # about what a question and the longest answer take
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


def first_step_cost(config: TrainingConfig, tokens: RowTokens) -> float:
    """Of what a step of the first stage reads itself, without what stands beside it."""
    return config.batch_rows * tokens.mean


def second_step_cost(config: TrainingConfig, rows: int, tokens: RowTokens, step_cost: float) -> float:
    """The same of the second stage over `rows` rows, whose answers are sampled and read behind the prompt as well."""
    asked = min(config.on_policy_batch_rows, rows)
    sampled = decoding_cost(asked, sampled_tokens(config, tokens), tokens.answer, step_cost)
    return sampled + asked * tokens.mean * (1 + SCORED_COST)


def steps_between_prompts(prompt_tokens: int, step_cost: float) -> int:
    """Every how many steps that cost so much the student reads the prompt, so that it adds a quarter or less."""
    return max(1, math.ceil(prompt_tokens / (_PROMPT_SHARE * step_cost)))


def sampled_tokens(config: TrainingConfig, tokens: RowTokens) -> int:
    """How long an answer of the second stage can become."""
    return max(1, min(config.on_policy_answer_tokens, tokens.longest_answer + BEYOND_LONGEST))


def longest_pass_tokens(config: TrainingConfig, tokens: RowTokens) -> int:
    """The most tokens that the student reads at once with gradients."""
    longest = tokens.longest if config.last_epochs else 0
    if config.on_policy_steps:
        longest = max(longest, tokens.longest - tokens.longest_answer + sampled_tokens(config, tokens))
    if config.general_fraction:
        longest = max(longest, GENERAL_ROW_TOKENS)
    rows = config.micro_batch_rows
    behind_prompt = 0
    if config.prompt_back_weight:
        behind_prompt = tokens.prompt + min(rows, ROWS_BEHIND_A_PROMPT) * tokens.longest
    return max(rows * longest, behind_prompt)


def decoding_step_cost(*, on_gpu: bool) -> float:
    """Of one step of decoding, without the answers' own tokens."""
    return DECODING_STEP_COST_ON_GPU if on_gpu else DECODING_STEP_COST


def decoding_cost(rows: float, steps: float, tokens: float, step_cost: float) -> float:
    """Of `rows` answers with `tokens` each in the mean, the longest with `steps` of `step_cost` each."""
    return steps * step_cost + rows * tokens * SCORED_COST
