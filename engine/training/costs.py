"""What each part of a step costs, and which parts a configuration has, known before anything is loaded. Pure.

The unit is the trained token: one that the student reads with gradients, or work that takes as long. How many seconds
it takes depends on the machine; the time of a run with one configuration predicts that of a run with another.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.economics.tokens import estimate_prompt_tokens
from engine.questions.general import general_questions
from engine.records.dataset import DatasetRow
from engine.records.prompt import Prompt
from engine.records.run import TrainingConfig

# Measured on a CPU in bfloat16: the cost of a token's forward pass, and of one decoding step, which takes long even
# for a single answer. The tokens of the answers come on top of that.
SCORED_COST, DECODING_STEP_COST = 0.4, 14.0
# Calculated, not measured: a step waits some 30 ms for its launches, in which a GPU trains hundreds of tokens of an 8B
# model, and thousands of a small one. So on a GPU each run measures it (`sampling_pace`).
DECODING_STEP_COST_ON_GPU = 400.0
BEYOND_LONGEST = 8  # tokens that a sampled answer may be longer than the longest training answer
GENERAL_ANSWER_TOKENS = 64  # at most: they cost as much per token as a step's own rows do
GENERAL_ROW_TOKENS = 30 + GENERAL_ANSWER_TOKENS  # roughly a question and the longest answer
ROWS_PER_SHARED_PROMPT = 4
_PROMPT_SHARE = 0.25  # the most that the prompt's tokens may add to what a step costs


@dataclass(frozen=True, slots=True)
class RowTokens:
    """Lengths of a dataset's training rows in tokens; all 0 if there are no rows."""

    question: float = 0.0  # mean
    answer: float = 0.0  # mean
    longest: int = 0  # question and answer
    longest_answer: int = 0
    prompt: int = 0  # estimated

    @property
    def mean(self) -> float:
        """Mean length of question and answer together."""
        return self.question + self.answer


def row_tokens(rows: Sequence[DatasetRow], prompt_tokens: int) -> RowTokens:
    """Return the lengths of training rows whose prompt has `prompt_tokens` tokens."""
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


def longest_prompt_tokens(prompts: Iterable[Prompt]) -> int:
    """Estimate the tokens of the longest prompt from its length: loading a tokenizer would take a second."""
    return max(estimate_prompt_tokens(prompt).tokens for prompt in prompts)


def needs_teacher(config: TrainingConfig) -> bool:
    """Whether the prompted base's distributions at the training answers are used."""
    return config.objective != "cross_entropy" or config.prompt_back_weight > 0


def general_rows_a_step(rows_a_step: float, fraction: float) -> float:
    """Return how many general rows join a step's own, so that they are `fraction` of all its rows."""
    return rows_a_step * fraction / (1 - fraction)


def general_rows(config: TrainingConfig, rows: int) -> int:
    """Return how many of the bundled general questions a run over `rows` training rows uses."""
    if not config.general_fraction:
        return 0
    per_epoch = general_rows_a_step(rows, config.general_fraction)
    on_policy = general_rows_a_step(min(config.on_policy_batch_rows, rows), config.general_fraction)
    wanted = math.ceil(per_epoch * config.epochs + on_policy * config.on_policy_steps)
    return min(wanted, len(general_questions("train")))


def id_bytes(vocabulary: int) -> int:
    """Return the size of one token id in stored distributions, for a vocabulary of this size."""
    return 2 if vocabulary <= 1 << 16 else 4


def first_step_cost(config: TrainingConfig, tokens: RowTokens) -> float:
    """Return the cost of a first-stage step, without the terms beside its own."""
    return config.batch_rows * tokens.mean


def second_step_cost(config: TrainingConfig, rows: int, tokens: RowTokens, step_cost: float) -> float:
    """Return the cost of a second-stage step over `rows` rows: sampling, scoring after the prompt, and training."""
    asked = min(config.on_policy_batch_rows, rows)
    sampled = decoding_cost(asked, sampled_tokens(config, tokens), tokens.answer, step_cost)
    return sampled + asked * tokens.mean * (1 + SCORED_COST)


def steps_between_prompts(prompt_tokens: int, step_cost: float) -> int:
    """Return every how many steps of this cost the student reads the prompt, so that it adds a quarter or less."""
    return max(1, math.ceil(prompt_tokens / (_PROMPT_SHARE * step_cost)))


def sampled_tokens(config: TrainingConfig, tokens: RowTokens) -> int:
    """Return the maximum length of an answer in the second stage."""
    return max(1, min(config.on_policy_answer_tokens, tokens.longest_answer + BEYOND_LONGEST))


def longest_pass_tokens(config: TrainingConfig, tokens: RowTokens) -> int:
    """Return the most tokens that the student reads at once with gradients."""
    longest = tokens.longest if config.last_epochs else 0
    if config.on_policy_steps:
        longest = max(longest, tokens.longest - tokens.longest_answer + sampled_tokens(config, tokens))
    if config.general_fraction:
        longest = max(longest, GENERAL_ROW_TOKENS)
    rows = config.micro_batch_rows
    behind_prompt = 0
    if config.prompt_back_weight:
        behind_prompt = tokens.prompt + min(rows, ROWS_PER_SHARED_PROMPT) * tokens.longest
    return max(rows * longest, behind_prompt)


def decoding_step_cost(*, on_gpu: bool) -> float:
    """Return the cost of one decoding step, without the answers' own tokens."""
    return DECODING_STEP_COST_ON_GPU if on_gpu else DECODING_STEP_COST


def decoding_cost(rows: float, steps: float, tokens: float, step_cost: float) -> float:
    """Return the cost of `rows` answers of mean length `tokens`; the longest takes `steps` of `step_cost` each."""
    return steps * step_cost + rows * tokens * SCORED_COST
