"""Shapes of the published JSON objects, and a checker for them.

A shape is `int`, `float` (whole numbers too), `str` or `bool`; a set: one of its values; a list: any number of its
item; a mapping: at least its keys (more are allowed, since fields may be added); `Maybe`: its shape, or null.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Maybe:
    """The shape, or null."""

    shape: Any


RATE: dict[str, Any] = {"passed": int, "total": int, "rate": float, "low": float, "high": float}
INTERVAL = {"value": float, "low": float, "high": float}
ARM = {
    "rules": [{"id": int, "text": str, "kind": str, **RATE}],
    "all_rules": RATE,
    "kl_to_prompted": Maybe({"mean": float, "low": float, "high": float, "mean_free_tokens": float}),
    "prompt_tokens_mean": float,
    "completion_tokens_mean": float,
    "ttft_ms_p50": Maybe(float),
    "tokens_per_second_p50": Maybe(float),
    "cut_off": Maybe(int),
}
GENERAL = {"ended": RATE, "not_empty": RATE, "in_language": RATE, "free_of_rules": Maybe(RATE)}
RECITATION = {"recited": RATE, "longest_words": int, "longest": str, "probe": str}
INJECTION = {"rules": [{"id": int, "text": str, "kind": str, **RATE}], "all_rules": RATE}
PAIRED = {
    "difference": INTERVAL,
    "better": int,
    "worse": int,
    "p": float,
    "p_holm": float,
    "outcome": {"better", "kept", "worse", "undecided"},
    "more_questions": Maybe(int),
}
# Costs and break-even are null if the teacher has no price, the ratio if no time was measured.
REPORT = {
    "schema": {1},
    "prompt": {"sha256": str, "tokens": int, "rules": int},
    "student": {
        "base": str,
        "adapter": str,
        "lora_rank": int,
        "objective": {"mix", "forward_kl", "cross_entropy"},
        "device": str,
        "dtype": str,
    },
    "teacher": {"kind": {"local", "endpoint"}, "model": str},
    "dataset": {"sha256": str, "train": int, "validation": int, "test": int},
    "sampling": {
        "temperature": float,
        "samples": int,
        "max_answer_tokens": Maybe(int),
        "limit": Maybe(int),
        "seed": int,
        "reused_answers": int,
    },
    "arms": {"unprompted": ARM, "prompted": ARM, "distilled": ARM, "teacher": Maybe(ARM)},
    "reference": {"prompted", "teacher"},
    "ceiling": Maybe({"all_rules": RATE}),
    "recovered": Maybe(INTERVAL),
    "recovered_note": str,
    "ratio": Maybe(INTERVAL),
    "non_inferiority": {
        "margin": float,
        "least_value": float,
        "least_low": float,
        "least_questions": int,
        "more_questions": Maybe(int),
    },
    "comparisons": [{"arm": str, "against": str, "all_rules": PAIRED, "rules": [{"id": int, **PAIRED}]}],
    "verdict": {"pass", "fail", "undecided"},
    "stale": Maybe(str),
    "judge": Maybe({"model": str, "verdicts": int, "missing": int, "fault": str, "same_family_as": Maybe(str)}),
    "preference": Maybe(
        {
            "judge": str,
            "arm": str,
            "against": str,
            "wins": int,
            "ties": int,
            "losses": int,
            "missing": int,
            "win_rate": Maybe(INTERVAL),
            "flipped": RATE,
            "length_controlled": Maybe(INTERVAL),
            "votes": Maybe({"same": RATE, "kappa": Maybe(float)}),
        }
    ),
    "regressions": Maybe(
        {
            "general": {
                "questions": int,
                "kl_to_unprompted": Maybe(INTERVAL),
                "arms": {"unprompted": GENERAL, "distilled": GENERAL},
            },
            "recitation": {"unprompted": RECITATION, "distilled": RECITATION},
            "injection": {"prompted": INJECTION, "distilled": INJECTION},
            "seconds": float,
        }
    ),
    "savings": {
        "prompt_tokens_per_request": int,
        "cost_usd_per_1000_requests": {
            "prompted": Maybe(float),
            "prompted_cached": Maybe(float),
            "distilled": Maybe(float),
        },
        "ttft_ratio": Maybe(float),
        "break_even_requests": {"uncached": Maybe(int), "cached": Maybe(int)},
    },
    "timing": {
        "questions_s": float,
        "generate_s": float,
        "curate_s": float,
        "train_s": float,
        "evaluate_s": float,
        "total_s": float,
    },
    "peak_rss_mb": float,
}
ESTIMATE = {
    "schema": {1},
    "tokens": {"prompt": int, "tokenizer": str, "exact": bool},
    "per_request_usd": {"prompted": float, "prompted_cached": float, "distilled": float},
    "one_time_usd": INTERVAL,
    "break_even_requests": {"uncached": Maybe(int), "cached": Maybe(int)},
    "break_even_days": {"uncached": Maybe(float), "cached": Maybe(float)},
    "yearly_savings_usd": {"uncached": float, "cached": float},
    "verdict": {"worth_it", "only_without_cache", "not_worth_it"},
    "reasons": [str],
    "sources": {"prices": str},
}
JOB = {
    "id": int,
    "kind": {"synthesize", "generate", "train", "sweep", "calibrate", "evaluate", "harness", "serve", "demo", "bench"},
    "pid": int,
    "state": {"waiting", "running", "paused", "done", "stopped", "failed", "lost"},
    "asked": {"", "pausing", "stopping"},
    "progress": {"done": int, "total": int},
    "started_at": str,
    "heartbeat_age_s": Maybe(float),  # null once the job has ended
    "worked_s": float,
    "cost_usd": float,
}
STATUS = {
    "project": str,
    "stations": [
        {
            "name": {"prompt", "questions", "examples", "dataset", "run", "evaluation", "release"},
            "state": {"empty", "ready", "running", "done", "stale", "failed"},
            "count": int,
            "note": str,
        }
    ],
    "spending": [
        {
            "teacher": str,
            "cost_usd": float,
            "answers": int,
            "prompt_tokens": int,
            "completion_tokens": int,
            "other_requests": int,
            "other_prompt_tokens": int,
            "other_completion_tokens": int,
            "other_counted_here": int,
        }
    ],
    "jobs": [JOB],
}


def assert_shape(value: object, shape: object) -> None:
    """Fail with every deviation of `value` from the shape."""
    found = list(problems(value, shape))
    assert not found, "\n".join(found)


def problems(value: object, shape: object, where: str = "it") -> Iterator[str]:
    """Yield a description of every deviation of `value` from the shape."""
    if isinstance(shape, Maybe):
        if value is not None:
            yield from problems(value, shape.shape, where)
    elif isinstance(shape, Mapping):
        if not isinstance(value, dict):
            yield f"{where} is {value!r}, not an object"
            return
        for key, inner in shape.items():
            if key in value:
                yield from problems(value[key], inner, f"{where}.{key}")
            else:
                yield f"{where}.{key} is missing"
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{where} is {value!r}, not a list"
            return
        for index, item in enumerate(value):
            yield from problems(item, shape[0], f"{where}[{index}]")
    elif isinstance(shape, set):
        if type(value) not in (str, int) or value not in shape:
            yield f"{where} is {value!r}, none of {sorted(shape)}"
    elif shape is float:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            yield f"{where} is {value!r}, not a number"
    elif type(value) is not shape:
        yield f"{where} is {value!r}, not {getattr(shape, '__name__', shape)}"


def rates_of(value: object) -> Iterator[dict[str, Any]]:
    """Yield every rate with its counts inside a JSON value, at any depth."""
    if isinstance(value, dict):
        if value.keys() >= RATE.keys():
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from rates_of(item)
