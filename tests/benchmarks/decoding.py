"""Decoding and scoring after a prompt of about 430 tokens, with one shared prompt cache or one copy per row.

Run it with `python -m tests.benchmarks.decoding`; the starter is converted on first use. The peer is transformers'
`generate` with a cache copied to every row, and the same scoring over prompt and answer together. All figures are
tokens per CPU-second over all threads, which a busy machine distorts least. Greedy answers and log-probabilities are
compared in the same run.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from engine.model.decode import decode
from engine.model.load import load_base, quiet_libraries
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import CACHE_ARGUMENT, PromptCache
from engine.model.score import ScoreRow, score
from engine.model.shared_attention import ATTENTION
from engine.model.starter import ensure_starter
from engine.paths import Home
from engine.records.prompt import Message, Prompt

Result = TypeVar("Result")
_QUESTION = "My savings account number {} is with a small bank, and I wonder whether my money is safe there. Is it?"
_ANSWER = (
    "Risk: {}/10. Deposits are insured up to a limit, so your money is safe below it. Ask your bank for the limit."
)
TURNS = [
    message
    for i in range(6)
    for message in (Message("user", _QUESTION.format(i)), Message("assistant", _ANSWER.format(i)))
]
PROMPT = Prompt((Message("system", "You answer questions about personal finance in two short sentences."), *TURNS))


def measure(work: Callable[[], Result]) -> tuple[float, Result]:
    """CPU-seconds of one call, and its result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def copied_cache(local: LocalModel, prefix_ids: list[int], rows: int) -> DynamicCache:
    """The prompt's keys and values, copied to every row."""
    cache = DynamicCache(config=local.base.config)
    with torch.inference_mode():
        local.backbone(input_ids=torch.tensor([prefix_ids]), use_cache=True, **{CACHE_ARGUMENT: cache})
        cache.batch_repeat_interleave(rows)
    return cache


def generate_copied(
    local: LocalModel, cache: DynamicCache, rows: list[list[int]], tokens: int
) -> tuple[list[list[int]], tuple[Tensor, ...]]:
    """Greedy answers by transformers' `generate` with a copied cache, and the logits (rows, V) of each of their tokens.

    The questions must have equal length. The cache cannot be used again.
    """
    local.base.set_attn_implementation("sdpa")
    try:
        with torch.inference_mode(), quiet_libraries():
            found = local.base.generate(
                torch.tensor(rows),
                attention_mask=torch.ones((len(rows), len(rows[0])), dtype=torch.long),
                do_sample=False,
                max_new_tokens=tokens,
                eos_token_id=None,
                pad_token_id=0,
                output_logits=True,
                return_dict_in_generate=True,
                **{CACHE_ARGUMENT: cache},
            )
    finally:
        local.base.set_attn_implementation(ATTENTION)
    return found.sequences[:, len(rows[0]) :].tolist(), found.logits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--tokens", type=int, default=32, help="tokens per answer")
    parser.add_argument("--threads", type=int, help="torch threads (default: the physical cores)")
    parser.add_argument("--model", type=Path, help="a model folder (default: the starter)")
    options = parser.parse_args()
    folder = options.model or ensure_starter(Home.locate(), lambda done, total, note: print(f"{done}/{total} {note}"))
    local = load_base(folder, device="cpu", dtype="float32")
    if options.threads:
        torch.set_num_threads(options.threads)
    # Every row runs to the same length in both arms.
    endless = replace(local, format=replace(local.format, stop_ids=frozenset()))
    prefix_ids = local.format.prompt_prefix_ids(PROMPT)
    prefix = PromptCache.build(local, prefix_ids)
    memory = sum(states.nbytes for pair in prefix.attended.values() for states in pair) >> 20
    print(f"prompt {prefix.length} tokens ({memory} MiB of keys and values), {torch.get_num_threads()} threads")
    print("rows   shared   copied    ratio  equal answers")
    for count in options.rows:
        questions = [[Message("user", f"Question {i}: should I buy a house this year?")] for i in range(10, 10 + count)]
        rows = [local.format.prompted_ids(PROMPT, question) for question in questions]
        seeds = list(range(count))

        def shared(rows: list[list[int]] = rows, seeds: list[int] = seeds) -> list[list[int]]:
            answers = decode(
                endless,
                rows,
                prefix=prefix,
                temperature=0,
                max_new_tokens=options.tokens,
                seeds=seeds,
                batch_rows=len(rows),
            )
            return [list(answer.ids) for answer in answers]

        cache = copied_cache(local, prefix_ids, count)

        def copied(cache: DynamicCache = cache, rows: list[list[int]] = rows) -> list[list[int]]:
            return generate_copied(local, cache, rows, options.tokens)[0]

        shared_s, shared_answers = measure(shared)
        copied_s, copied_answers = measure(copied)
        equal = sum(a == b for a, b in zip(shared_answers, copied_answers, strict=True))
        total = count * options.tokens
        print(
            f"{count:4} {total / shared_s:8.1f} {total / copied_s:8.1f} {copied_s / shared_s:7.2f}×  {equal} of {count}"
        )
    answer = local.format.completion_ids(_ANSWER.format(3))
    questions = [[Message("user", f"Question {i}: should I buy a house this year?")] for i in range(10, 42)]
    scored = [ScoreRow(local.format.prompted_ids(PROMPT, question), answer) for question in questions]
    cached_s, cached = measure(lambda: score(local, scored, prefix=prefix, k=64))
    whole_s, whole = measure(lambda: score(local, scored, k=64))
    difference = max(
        float((a.completion_logprobs - b.completion_logprobs).abs().max()) for a, b in zip(cached, whole, strict=True)
    )
    total = len(scored) * len(answer)
    print(f"score {total / cached_s:.1f} shared, {total / whole_s:.1f} whole: {whole_s / cached_s:.2f}×")
    print(f"log-probabilities differ by {difference:.1e} at most")


if __name__ == "__main__":
    main()
