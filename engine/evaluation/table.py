"""The report as a plain-text table: rules by arms, then the verdict in words. Pure; knows nothing of the store."""

import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from engine.clean import clean_line
from engine.records.evaluation import ArmName, ArmScore, Evaluation, Interval, Rate

ARM_WIDTH = 14  # « 97.5 (95–100)»
LEAST_LABEL_WIDTH = 16

_VERDICTS = {
    "pass": "Passed: the student keeps at least 95\u00a0% of what the prompt gains, and surely 90\u00a0%.",
    "fail": "Failed: the student keeps less than 95\u00a0% of what the prompt gains, and not by chance.",
    "undecided": "Undecided: these answers do not tell whether the student keeps 95\u00a0% of what the prompt gains.",
}


def render(evaluation: Evaluation, title: str, facts: Sequence[tuple[str, str]], width: int = 80) -> str:
    """`title`, the arms side by side, then `facts` as label and value; no line wider than `width` (at least 72) cells.

    Rates are percentages of all sampled answers, with the 95 % interval's bounds in brackets.
    """
    arms = evaluation.arms
    label_width = max(LEAST_LABEL_WIDTH, width - ARM_WIDTH * len(arms))

    def row(label: str, cells: Sequence[str]) -> str:
        cut = clean_line(label, label_width - 1)
        return cut + " " * (label_width - cell_width(cut)) + "".join(f"{cell:>{ARM_WIDTH}}" for cell in cells)

    def measure(label: str, value: Callable[[ArmScore], str]) -> str:
        return row(label, [value(score) for _, score in arms])

    samples = "1 sample" if evaluation.samples == 1 else f"{evaluation.samples} samples"
    rule = "─" * (label_width + ARM_WIDTH * len(arms))
    lines = [
        clean_line(title, width),
        f"{evaluation.questions} held-out questions, {samples} each at temperature {evaluation.temperature:g}",
        "",
        row("% of answers that keep rule", [name for name, _ in arms]),
        rule,
    ]
    for index, known in enumerate(arms[0][1].rules if arms else ()):
        lines.append(
            row(f"{known.id:>2} {known.text}", [_percent(score.rules[index].rate) for _, score in arms]),
        )
    lines += [
        measure("every rule", lambda score: _percent(score.all_rules)),
        rule,
        row("recovered, %", [_recovered_cell(evaluation, name) for name, _ in arms]),
        measure("KL to prompted, nats/token", _divergence),
        measure("  on free tokens", _free_divergence),
        measure("prompt + question tokens", lambda score: f"{score.prompt_tokens_mean:.0f}"),
        measure("answer tokens", lambda score: f"{score.completion_tokens_mean:.0f}"),
        measure("first token, ms", lambda score: _known(score.ttft_ms_p50, ".0f")),
        measure("tokens a second", lambda score: _known(score.tokens_per_second_p50, ".1f")),
        rule,
    ]
    lines += [line for label, value in facts for line in _fact(label, value, width)]
    lines += ["", *textwrap.wrap(_VERDICTS[evaluation.verdict], width), *_reason(evaluation, width)]
    return "\n".join(line.rstrip() for line in lines)


def _recovered_cell(evaluation: Evaluation, name: ArmName) -> str:
    if name == evaluation.reference:
        return "reference"
    if name != "distilled" or evaluation.recovered is None:
        return "–"
    return _interval(evaluation.recovered, 100.0)


def _reason(evaluation: Evaluation, width: int) -> Iterator[str]:
    if evaluation.recovered is None:
        yield from textwrap.wrap(evaluation.recovered_note, width)


def _fact(label: str, value: str, width: int) -> Iterator[str]:
    for index, line in enumerate(textwrap.wrap(clean_line(value), width - 27) or [""]):
        yield f"{label if index == 0 else '':<27}{line}"


def _percent(rate: Rate) -> str:
    return _interval(Interval(rate.rate, rate.low, rate.high), 100.0)


def _interval(interval: Interval, scale: float) -> str:
    # From 100 on, a decimal would make the cell as wide as its column.
    value = f"{scale * interval.value:.{1 if scale * interval.value < 100 else 0}f}".removesuffix(".0")
    return f"{value} ({scale * interval.low:.0f}–{scale * interval.high:.0f})"


def _divergence(score: ArmScore) -> str:
    return "–" if score.kl_to_prompted is None else f"{score.kl_to_prompted.mean:.3f}"


def _free_divergence(score: ArmScore) -> str:
    return "–" if score.kl_to_prompted is None else f"{score.kl_to_prompted.mean_free_tokens:.3f}"


def _known(value: float, style: str) -> str:
    return f"{value:{style}}" if value > 0 else "–"


def cell_width(line: str) -> int:
    """How many terminal cells a clean line takes, by the same reckoning that `clean_line` cuts by."""
    return sum(_cells(character) for character in line)


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me") or character in "\ufe0e\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
