"""The verdict: whether the student keeps what the prompt gains, and why it is said. Pure; needs no library."""

from engine.evaluation.power import spread_of, to_clear
from engine.records.comparison import Paired
from engine.records.evaluation import Evaluation, FinalVerdict
from engine.records.interval import Interval
from engine.records.question import Split
from engine.wording import counted

PASS_VALUE = 0.95
MARGIN = 0.10  # of what the prompt gains, and of a single rule's pass rate
PASS_LOW = 1.0 - MARGIN
MIN_QUESTIONS = 35
ROUNDING = 1e-9  # by which sums of shares such as ⅓ may miss a limit that they lie on

_SEEN: dict[Split, str] = {  # what was no proof, in every verdict's words
    "train": "No proof: it was trained on these questions. ",
    "validation": "No proof: its checkpoint was chosen by these questions. ",
    "test": "",
}
_WORDS: dict[FinalVerdict, str] = {"pass": "Passed", "fail": "Failed", "undecided": "Undecided"}


def verdict(recovered: Interval | None, questions: int) -> FinalVerdict:
    """The non-inferiority verdict, with a margin of 0.10 of what the prompt gains.

    `pass`: at least 0.95 is recovered, and the interval's lower bound is at least 0.90. `fail`: the whole interval
    lies below 0.95, so the data speak against a pass. Everything between is `undecided`: more questions or samples
    would tell. So is an undefined fraction, and any fraction of fewer than 35 questions: where every question agrees,
    a bootstrap interval has no width at all, and 35 is the least number whose own Wilson bound then reaches 0.90.
    """
    if recovered is None or questions < MIN_QUESTIONS:
        return "undecided"
    if recovered.value >= PASS_VALUE - ROUNDING and recovered.low >= PASS_LOW - ROUNDING:
        return "pass"
    return "fail" if recovered.high < PASS_VALUE - ROUNDING else "undecided"


def sentence(evaluation: Evaluation) -> str:
    """The verdict in a word, and why it is said."""
    return f"{_WORDS[evaluation.verdict]}. {reason(evaluation)}"


def more_questions(recovered: Interval | None, gain: Paired | None, questions: int) -> int | None:
    """How many more would bring a verdict, should what was measured stay; 0 where there is one, None: no number would.

    `gain` is the unprompted base held against the reference: where that is undecided nothing is recovered yet, and the
    number is that after which it is known to be above 0.
    """
    if verdict(recovered, questions) != "undecided":
        return 0
    if recovered is None:
        if gain is None:
            return None
        needed = to_clear(-gain.difference.value, spread_of(gain.difference, gain.questions or questions))
    else:
        spread = spread_of(recovered, questions)
        if recovered.value >= PASS_VALUE:  # the bound has to clear one limit, and the value itself the other
            both = (
                to_clear(recovered.value - PASS_LOW, spread),
                to_clear(recovered.value - PASS_VALUE, spread, bound=False) if spread else 0,
            )
            needed = None if None in both else max(number for number in both if number is not None)
        else:
            needed = to_clear(PASS_VALUE - recovered.value, spread)
    return None if needed is None else max(1, max(needed, MIN_QUESTIONS) - questions)


def reason(evaluation: Evaluation) -> str:
    """Why the verdict is what it is, in one or two sentences."""
    return _SEEN[evaluation.split] + _why(evaluation)


def _why(evaluation: Evaluation) -> str:
    recovered = evaluation.recovered
    if recovered is None:
        more = evaluation.more_questions
        return evaluation.recovered_note + (f" About {counted(more, 'more question')} would tell." if more else "")
    kept = f"{_percent(recovered.value)} of what the prompt gains is kept"
    bounds = f"the interval reaches from {_percent(recovered.low)} to {_percent(recovered.high)}"
    match evaluation.verdict:
        case "pass":
            return f"{kept}, and surely {_percent(PASS_LOW)}: {bounds}."
        case "fail":
            return f"{kept}, and {bounds}: all of it is below {_percent(PASS_VALUE)}."
        case "undecided" if evaluation.decided_questions < MIN_QUESTIONS:
            decided = evaluation.decided_questions
            few = f"{decided} question{'s are' if decided != 1 else ' is'} too few"
            return f"{few}: at least {MIN_QUESTIONS} are needed. So far {kept}."
        case "undecided" if evaluation.more_questions:
            return f"{kept}, but {bounds}; about {counted(evaluation.more_questions, 'more question')} would decide."
        case "undecided":
            return f"{kept}, but {bounds}; more questions or samples would tell."


def left_out(evaluation: Evaluation) -> str:
    """What counts in no rate, or in none of all rules together, and why; empty where everything does."""
    removed = removed_words(len(evaluation.removed)) if evaluation.removed else ""
    return " ".join(filter(None, (removed, _without_verdict(evaluation))))


def removed_words(questions: int) -> str:
    """What became of questions that a person removed before all arms had answered them."""
    was, are = ("was", "is") if questions == 1 else ("were", "are")
    return f"{counted(questions, 'question')} {was} removed during the evaluation and {are} left out of every arm."


def _without_verdict(evaluation: Evaluation) -> str:
    if evaluation.judged is None or not evaluation.judged.missing:
        return ""
    arms = [f"{count:,} of {name}" for name, score in evaluation.arms if (count := evaluation.left_out(score))]
    if not arms:
        return ""
    return (
        f"Without a verdict of the judge on some rule, and so left out of all rules together: {', '.join(arms)}, of "
        f"{counted(evaluation.questions * evaluation.samples, 'answer')} each. The verdict "
        f"rests on {counted(evaluation.decided_questions, 'question')} with every rule decided in every arm."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u00a0%"
