"""General questions with the unprompted base's own answers: what the student must not forget while it learns.

The questions are bundled; those of the test split are never trained on. Each is answered once by the unprompted base
at temperature 1 and scored once like any teacher's answer; both are stored for every later run over the same base. An
answer that is cut off at its limit is fine too: every token has the base's distribution as its target.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from engine.model.decode import decode, limits_within
from engine.model.load import adapter_off
from engine.model.local_model import LocalModel
from engine.model.memory import halve_until_it_fits, within_memory
from engine.paths import make_private_folder, write_atomically
from engine.questions.general import general_questions
from engine.records.dataset import DatasetPrompt, DatasetRow
from engine.records.prompt import Prompt
from engine.training.costs import GENERAL_ANSWER_TOKENS as _ANSWER_TOKENS
from engine.training.extra_terms import General
from engine.training.ranks import ALONE, Ranks
from engine.training.teacher_cache import TeacherCache, cache_key

NO_PROMPT = Prompt(())
_ANSWERED_AT_ONCE = 128  # questions; fewer if memory runs out


@dataclass(frozen=True, slots=True)
class _Answers:
    """The answers' ids, in the questions' order."""

    ids: tuple[tuple[int, ...], ...]


def make_general(
    local: LocalModel,
    count: int,
    fraction: float,
    top_k: int,
    folder: Path,
    on_rows: Callable[[int, int], None] = lambda _done, _total: None,
    ranks: Ranks = ALONE,
) -> General:
    """Answer and score the first `count` general questions with the base, adapter off, or read them from `folder`.

    `on_rows(done, total)` may raise to cancel; answers are stored once all are there. With several `ranks` the first
    one answers and all score. Raises `ModelError` if even one answer at a time does not fit into memory.
    """
    questions = general_questions("train")
    asked = [
        DatasetRow(question.id, question.id, "train", tuple(local.format.question_ids(question.messages)), (), 0, ())
        for question in questions
    ]
    dataset_prompts = [DatasetPrompt(NO_PROMPT, questions)]
    advice = "Close other programs, choose a smaller base model, or train without general questions."
    with ranks.together(), within_memory(advice, "The base's answers to general questions"):
        own = _Answers(_answers(local, asked, dataset_prompts, max(1, count), folder, on_rows)) if ranks.leads else None
    # The ranks do not sample separately: if memory or rounding differ, so may a token, and then all that follow it.
    answers = ranks.broadcast(_Answers, own).ids
    rows = [
        replace(row, completion_ids=ids, edited_from=len(ids), fixed=(False,) * len(ids))
        for row, ids in zip(asked, answers, strict=False)  # only the first ones have answers
    ]
    base = TeacherCache.build(local, rows, dataset_prompts, top_k, folder, on_rows=on_rows, ranks=ranks)
    return General(rows, base, fraction)


def _answers(
    local: LocalModel,
    asked: Sequence[DatasetRow],
    dataset_prompts: Sequence[DatasetPrompt],
    count: int,
    folder: Path,
    on_rows: Callable[[int, int], None],
) -> tuple[tuple[int, ...], ...]:
    """Return the answers to the first `count` of `asked`. Stored ones are reused; only missing ones are sampled."""
    key = cache_key(local, asked, dataset_prompts, _ANSWER_TOKENS)
    path = folder / f"general-{key[:16]}.json"
    kept = _read(path, key)
    missing = asked[len(kept) : count]
    if not missing:
        return kept[:count]
    done = 0

    def tell(*_: object) -> None:
        nonlocal done
        done += 1
        on_rows(min(done, len(missing)), len(missing))  # after running out of memory, answers are sampled again

    rows = [row.question_ids for row in missing]
    with adapter_off(local):
        decoded = halve_until_it_fits(
            lambda at_once: decode(
                local,
                rows,
                temperature=1.0,
                max_new_tokens=limits_within(local, rows, _ANSWER_TOKENS),
                seeds=[row.example_id for row in missing],
                batch_rows=at_once,
                on_finished=tell,
            ),
            _ANSWERED_AT_ONCE,
        )
    answers = (*kept, *(one.ids for one in decoded))
    make_private_folder(folder)
    write_atomically(path, json.dumps({"key": key, "answers": answers}).encode())
    return answers


def _read(path: Path, key: str) -> tuple[tuple[int, ...], ...]:
    """Return the answers of an intact file made from the same inputs, else none: they can be sampled again."""
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    if not isinstance(found, dict) or found.get("key") != key:
        return ()
    return tuple(map(tuple, cast("list[list[int]]", found["answers"])))
