"""The proof as sections: the verdict, the arms rule by rule, and the answers that fall behind. Pure."""

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle

from engine.economics.estimate import Estimate
from engine.economics.verdict import headline
from engine.evaluation.verdict import cut_off, ending_text, left_out, reference_text, sentence
from engine.records.evaluation import ArmAnswer, ArmScore, Divergence, Evaluation, FinalVerdict, Interval
from engine.records.question import Split
from engine.reports.arm_comparisons import against_in_brief
from engine.reports.document import (
    Answer,
    Block,
    Column,
    Fact,
    Facts,
    IntervalRow,
    Intervals,
    QuestionAnswers,
    Role,
    Row,
    Section,
    Table,
    Tone,
    Words,
)
from engine.reports.facts import ReportFacts
from engine.reports.numbers import MISSING, bounds, interval, known, nats, nats_between, of_rate, share, usd
from engine.wording import counted

_ROLES: dict[str, Role] = {"distilled": "main", "prompted": "second", "unprompted": "third", "teacher": "fourth"}
_EXTRA_ROLES: tuple[Role, ...] = ("fifth", "sixth", "seventh")
TONES: dict[FinalVerdict, Tone] = {"pass": "good", "fail": "bad", "undecided": "open"}
_QUESTIONS: dict[Split, str] = {
    "test": "held-out test question",
    "validation": "validation question",
    "train": "training question",
}
_WORST_SHOWN = 3
_WORST = "Where the student falls behind"


def with_roles(arms: Sequence[tuple[str, object]]) -> tuple[tuple[str, Role], ...]:
    """The arms' names, each with how it is drawn: three extra arms look different, further ones reuse those looks."""
    turns = cycle(_EXTRA_ROLES)
    return tuple((name, _ROLES[name] if name in _ROLES else next(turns)) for name, _ in arms)


def verdict(facts: ReportFacts) -> Section:
    """Whether it works, whether it pays, and the key figures."""
    proof, evaluation = facts.proof, facts.proof.evaluation
    recovered = evaluation.recovered
    prompted, distilled, reference = (proof.arm(name) for name in ("prompted", "distilled", evaluation.reference))
    who = reference_text(evaluation.reference)
    figures = [
        Fact(
            "of the prompt's gain recovered",
            share(recovered.value) if recovered else MISSING,
            f"95\u00a0% interval {bounds(recovered.low, recovered.high)}\u00a0%" if recovered else evaluation.verdict,
        ),
        Fact(
            "of answers pass every rule without the prompt",
            share(distilled.all_rules.rate) if distilled.all_rules.total else MISSING,
            f"{who}: {share(reference.all_rules.rate)}" if reference.all_rules.total else "",
        ),
        Fact("prompt tokens saved per request", f"{proof.prompt_tokens:,}", _saved_share(facts)),
    ]
    if proof.ttft_ratio is not None:
        figures.append(
            Fact(
                "of the prompted model's time to first token",
                share(proof.ttft_ratio),
                f"{distilled.ttft_ms_p50:,.0f} ms instead of {prompted.ttft_ms_p50:,.0f} ms",
            )
        )
    pays = proof.costs_note if proof.costs is None else headline(proof.costs)
    if proof.costs is not None:
        figures.append(_saved(proof.costs))
    return Section(
        "verdict",
        "Verdict",
        (
            Facts((Fact("Does it work?", sentence(evaluation)), *_stale(proof.stale), Fact("Does it pay?", pays))),
            Facts(tuple(figures), large=True),
        ),
    )


def _stale(why: str) -> Iterator[Fact]:
    if why:
        yield Fact("Is it current?", f"No: {why}.")


def _saved(costs: Estimate) -> Fact:
    asked = costs.given.figures["requests_per_day"]
    assumed = "an assumed " if asked.origin == "assumed" else ""
    return Fact(
        "saved in a year, after the training cost",
        usd(costs.uncached.year_usd.value),
        f"{usd(costs.cached.year_usd.value)} if the prompt is cached; "
        f"at {assumed}{counted(asked.value, 'request', ',g')} per day",
    )


def rules(facts: ReportFacts) -> Section:
    """Every rule in every arm, then the other measurements of each arm."""
    evaluation = facts.proof.evaluation
    arms = evaluation.arms
    samples = counted(evaluation.samples, "sample")
    known_rules = arms[0][1].rules if arms else ()
    rows = [
        IntervalRow(f"{rule.id}\u2002{rule.text}", tuple(of_rate(score.rules[place].rate) for _, score in arms))
        for place, rule in enumerate(known_rules)
    ]
    rows.append(IntervalRow("every rule", tuple(of_rate(score.all_rules) for _, score in arms), strong=True))
    blocks: list[Block] = [
        Words(
            f"Every arm answered the same {counted(evaluation.questions, _QUESTIONS[evaluation.split])}, "
            f"{samples} each at temperature {evaluation.temperature:g}{_longest(evaluation)}. Figures are shares of "
            "answers, in %, with 95 % intervals for other questions on these topics, repeated samples accounted for."
        ),
        Intervals("Answers that pass each rule, %", "rule", with_roles(arms), tuple(rows)),
        *(Words(words, "bad") for words in (left_out(evaluation), cut_off(evaluation)) if words),
        *against_in_brief(evaluation),
        _measures(facts),
    ]
    if evaluation.ceiling is not None:
        agreed, who = evaluation.ceiling, reference_text(evaluation.reference)
        blocks.append(
            Words(
                f"{who.capitalize()} compared with its own second sample: where the first passes "
                f"every rule, so does the second in {agreed.passed:,} of {agreed.total:,} cases "
                f"({share(agreed.rate)}). No student can be expected to agree with it more often.",
                "quiet",
            )
        )
    return Section("rules", "Rule by rule", tuple(blocks))


def worst(facts: ReportFacts) -> Section:
    """The questions where the student fails most of the rules that the reference passes, with every arm's answer."""
    evaluation = facts.proof.evaluation
    behind = [lapse for lapse in facts.lapses if lapse.broken]
    if not facts.lapses:
        return Section("worst", _WORST, (Words("The answers of this evaluation were not kept."),))
    blocks: list[Block] = [
        Words(
            f"In {len(behind):,} of {counted(len(facts.lapses), 'question')}, the student fails a rule that "
            f"{reference_text(evaluation.reference)} passes."
            f"{' The worst:' if behind else ''}"
        )
    ]
    texts = {rule.id: rule.text for _, score in evaluation.arms for rule in score.rules}
    for lapse in behind[:_WORST_SHOWN]:
        question = facts.answered.questions[lapse.question_id]
        found = {
            answer.arm: answer
            for answer in facts.answered.answers
            if (answer.question_id, answer.sample) == (lapse.question_id, lapse.worst_sample)
        }
        numbers = ", ".join(map(str, lapse.rules))
        named = f"{'Rules' if len(lapse.rules) > 1 else 'Rule'} {numbers}"
        note = f"{named}: {counted(lapse.broken, 'failure')} in {counted(lapse.samples, 'sample')}"
        blocks.append(
            QuestionAnswers(
                question.text,
                f"{note}{f'; topic {question.topic}' if question.topic else ''}",
                tuple(_answer(found[name], evaluation, texts) for name, _ in evaluation.arms if name in found),
            )
        )
    return Section("worst", _WORST, tuple(blocks))


def _answer(answer: ArmAnswer, evaluation: Evaluation, texts: dict[int, str]) -> Answer:
    broken = [check for check in answer.checks if not check.passed]
    notes = [f"rule {check.rule_id}: {check.note or texts.get(check.rule_id, 'failed')}" for check in broken]
    if answer.arm == "unprompted" and broken:  # it was not asked for any of this, so a count is enough
        notes = [f"{len(broken)} of {counted(len(answer.checks), 'rule')} failed"]
    if ending := ending_text(answer, evaluation):
        notes.append(ending)
    return Answer(
        answer.arm,
        answer.answer,
        not broken,
        _ROLES.get(answer.arm, "fourth"),
        tuple(notes),
        # The unprompted model was not asked for any of this: marks all over its answer would say nothing.
        () if answer.arm == "unprompted" else tuple(span for check in broken for span in check.failing),
    )


def _saved_share(facts: ReportFacts) -> str:
    whole = facts.proof.arm("prompted").prompt_tokens_mean
    return f"{share(facts.proof.prompt_tokens / whole)} of the input" if whole > 0 else ""


def _measures(facts: ReportFacts) -> Table:
    evaluation = facts.proof.evaluation
    arms = evaluation.arms

    def row(name: str, value: Callable[[ArmScore], str]) -> Row:
        return Row((name, *(value(score) for _, score in arms)))

    return Table(
        "Other measurements, by arm",
        (Column("measurement"), *(Column(name, number=True) for name, _ in arms)),
        (
            Row(("recovered gain, %", *_shares(evaluation, evaluation.recovered)), strong=True),
            Row(("ratio to the reference, %", *_shares(evaluation, evaluation.ratio))),
            row("KL to prompted, nats/token", lambda score: _kl(score.kl_to_prompted)),
            row("KL, 95 % interval", lambda score: _kl_bounds(score.kl_to_prompted)),
            row("KL on free tokens", lambda score: _free(score.kl_to_prompted)),
            row("prompt + question tokens", lambda score: known(score.prompt_tokens_mean)),
            *_cut_off(evaluation),
            row("answer tokens", lambda score: known(score.completion_tokens_mean)),
            row("time to first token, ms", lambda score: known(score.ttft_ms_p50)),
            row("tokens per second", lambda score: known(score.tokens_per_second_p50, 1)),
        ),
    )


def _cut_off(evaluation: Evaluation) -> Iterator[Row]:
    """How many answers of each arm ended at the token limit; nothing in evaluations that did not count them."""
    counts = [score.cut_off for _, score in evaluation.arms]
    if any(count is not None for count in counts):
        yield Row(("answers cut off", *(MISSING if count is None else f"{count:,}" for count in counts)))


def _longest(evaluation: Evaluation) -> str:
    tokens = evaluation.max_answer_tokens
    return "" if tokens is None else f" and at most {tokens:,} tokens"


def _shares(evaluation: Evaluation, found: Interval | None) -> Iterator[str]:
    """The student's share of the reference, one cell per arm."""
    for name, _ in evaluation.arms:
        if name == evaluation.reference:
            yield "reference"
        else:
            yield MISSING if name != "distilled" or found is None else interval(found).replace("\u00a0%", "")


def _kl(divergence: Divergence | None) -> str:
    return MISSING if divergence is None else nats(divergence.mean)


def _kl_bounds(divergence: Divergence | None) -> str:
    return MISSING if divergence is None else nats_between(divergence.low, divergence.high)


def _free(divergence: Divergence | None) -> str:
    return MISSING if divergence is None else nats(divergence.mean_free_tokens)
