"""The evaluation pane: the arms side by side, rule by rule, and the verdict in words."""

from collections.abc import Callable
from operator import attrgetter

from textual.content import Content

from engine.records.evaluation import ArmName, ArmScore, Divergence, Evaluation, Rate
from tui.panes.parts import answer_wall, empty, heading, pace, title, working
from tui.panes.view import View
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, WARN, fit, percent, right

_ALL_TOKENS: Callable[[Divergence], float] = attrgetter("mean")
_FREE_TOKENS: Callable[[Divergence], float] = attrgetter("mean_free_tokens")

_VERDICTS = {
    "pass": ("pass", GOOD, "Every rule is kept as well without the prompt as with it, within the margin."),
    "fail": ("fail", BAD, "The student keeps the rules worse than the prompted model does."),
    "undecided": ("undecided", WARN, "The intervals are too wide to tell; more questions or samples would decide."),
}


def draw(view: View) -> list[Content]:
    """The lines of this pane."""
    facts, width, height = view.facts, view.width, view.height
    job = working(view, "evaluation")
    evaluation = facts.evaluation
    if job is not None and job.live:
        lines = title("Evaluation", "measuring", pace(job), width)
        lines[1:] = [
            heading("the same held-out questions to every arm; the student never sees the prompt"),
            Content(""),
        ]
        return lines + answer_wall(list(job.streams.values()), width, height - len(lines), arms=True)
    if evaluation is None:
        return [
            *title("Evaluation", "none yet", "", width),
            *empty("Every rule is measured on held-out questions, arm by arm.", ["distill-tui evaluate"]),
        ]
    return table(evaluation, width)


def table(evaluation: Evaluation, width: int) -> list[Content]:
    """The final table of the arms."""
    word, style, sentence = _VERDICTS[evaluation.verdict]
    asked = f"{evaluation.questions} questions × {evaluation.samples} at T = {evaluation.temperature:g}"
    lines = title("Evaluation", word, f"run {evaluation.run_id}   {asked}", width)
    lines[0] = lines[0].stylize(style, len("Evaluation   "), len("Evaluation   ") + len(word))
    recovered = evaluation.recovered
    if recovered is not None:
        lines.append(
            Content.assemble(
                "recovered ",
                (f"{recovered.value:.2f}", STRONG),
                (f"  {recovered.low:.2f} – {recovered.high:.2f}", DIM),
                f"   {sentence}" if width >= 110 else "",
            )
        )
    if width < 110 or recovered is None:
        lines.append(Content.styled(sentence if recovered else evaluation.recovered_note, DIM))
    lines.append(Content(""))

    arms = [(name, score) for name, score in evaluation.arms]
    cell = 19 if width >= 88 else 15
    label = width - cell * len(arms)
    lines.append(heading(fit("rule", label) + "".join(right(name, cell) for name, _ in arms)))
    if arms:
        for index, rule in enumerate(arms[0][1].rules):
            rates = [_rate(score.rules[index].rate, cell, name) for name, score in arms]
            lines.append(Content.assemble(f"{rule.id:>2} {fit(rule.text, label - 3)}", *rates))
    lines.append(
        Content.assemble(
            (fit("   all rules together", label), STRONG), *(_rate(score.all_rules, cell, name) for name, score in arms)
        )
    )
    lines += [Content(""), *_measures(arms, label, cell)]
    return lines


def _rate(rate: Rate, width: int, arm: ArmName) -> Content:
    interval = f"{100 * rate.low:.0f}–{100 * rate.high:.0f}"
    text = right(percent(rate.rate), width - 8)
    return Content.assemble((text, ACCENT if arm == "distilled" else ""), (right(interval, 8), DIM))


def _measures(arms: list[tuple[ArmName, ArmScore]], label: int, cell: int) -> list[Content]:
    base = next((score.kl_to_prompted for name, score in arms if name == "unprompted"), None)
    rows: list[tuple[str, list[str]]] = [
        ("KL to the prompted model", [_divergence(name, score, base, _ALL_TOKENS) for name, score in arms]),
        ("  on free tokens alone", [_divergence(name, score, base, _FREE_TOKENS) for name, score in arms]),
        ("prompt tokens", [f"{score.prompt_tokens_mean:.0f}" for _, score in arms]),
        ("answer tokens", [f"{score.completion_tokens_mean:.0f}" for _, score in arms]),
        ("time to first token", [f"{score.ttft_ms_p50:.0f} ms" for _, score in arms]),
        ("tokens a second", [f"{score.tokens_per_second_p50:.0f}" for _, score in arms]),
    ]
    return [
        Content(f"   {fit(name, label - 3)}" + "".join(right(text, cell) for text in values)) for name, values in rows
    ]


def _divergence(arm: ArmName, score: ArmScore, base: Divergence | None, part: Callable[[Divergence], float]) -> str:
    """An arm's KL; for the student also how much of the unprompted model's is gone."""
    if score.kl_to_prompted is None:
        return "–"
    value = part(score.kl_to_prompted)
    if arm != "distilled" or base is None or part(base) <= 0:
        return f"{value:.3f}"
    return f"−{100 * (1 - value / part(base)):.0f} %  {value:.3f}"
