"""The verdict: whether the student retains the prompt's gain, with the reason. Pure; needs no library."""

from engine.evaluation.power import ADDED_TO_DIFFERENCE, ADDED_TO_RATIO, spread_of, to_clear
from engine.records.comparison import Paired
from engine.records.evaluation import ArmAnswer, ArmName, Evaluation, FinalVerdict
from engine.records.interval import Interval
from engine.records.question import Split
from engine.wording import counted, percent

PASS_VALUE = 0.95
MARGIN = 0.10  # of the prompt's gain, and of a single rule's pass rate
PASS_LOW = 1.0 - MARGIN
MIN_QUESTIONS = 35
CUT_OFF_SHARE = 0.05  # of an arm's answers, from which their missing ends matter
ROUNDING = 1e-9  # tolerance for sums of shares such as ⅓ that are exactly on a limit

_SEEN: dict[Split, str] = {  # prefixed to every verdict that is not a proof
    "train": "No proof: the student was trained on these questions. ",
    "validation": "No proof: the checkpoint was chosen on these questions. ",
    "test": "",
}
_WORDS: dict[FinalVerdict, str] = {"pass": "Passed", "fail": "Failed", "undecided": "Undecided"}


def verdict(recovered: Interval | None, questions: int) -> FinalVerdict:
    """Return the non-inferiority verdict, with a margin of 0.10 of the prompt's gain.

    `pass`: at least 0.95 is recovered, and the interval's lower bound is at least 0.90. `fail`: the whole interval
    is below 0.95, so the data speak against a pass. Everything in between is `undecided`: more questions or samples
    would decide. So is an undefined fraction, and any fraction over fewer than 35 questions: 35 is the smallest number
    whose Wilson bound reaches 0.90 if all of them agree.
    """
    if recovered is None or questions < MIN_QUESTIONS:
        return "undecided"
    if recovered.value >= PASS_VALUE - ROUNDING and recovered.low >= PASS_LOW - ROUNDING:
        return "pass"
    return "fail" if recovered.high < PASS_VALUE - ROUNDING else "undecided"


def sentence(evaluation: Evaluation) -> str:
    """The verdict in one word, followed by the reason."""
    return f"{_WORDS[evaluation.verdict]}. {reason(evaluation)}"


def more_questions(recovered: Interval | None, gain: Paired | None, questions: int) -> int | None:
    """How many more questions would decide, if the measured values stay the same.

    0 if there is a verdict already, None if no number of questions would bring one.

    `gain` compares the unprompted base with the reference: if that is undecided, there is no recovered fraction yet,
    and the number is how many questions would show that the gain is above 0.
    """
    if verdict(recovered, questions) != "undecided":
        return 0
    if recovered is None:
        if gain is None:
            return None
        spread = spread_of(gain.difference, gain.questions or questions, ADDED_TO_DIFFERENCE)
        needed = to_clear(-gain.difference.value, spread)
    else:
        spread = spread_of(recovered, questions, ADDED_TO_RATIO)
        if recovered.value >= PASS_VALUE:  # the bound must clear one limit and the value the other
            both = (
                to_clear(recovered.value - PASS_LOW, spread, added=ADDED_TO_RATIO),
                to_clear(recovered.value - PASS_VALUE, spread, bound=False) if spread else 0,
            )
            needed = None if None in both else max(number for number in both if number is not None)
        else:
            needed = to_clear(PASS_VALUE - recovered.value, spread, added=ADDED_TO_RATIO)
    return None if needed is None else max(1, max(needed, MIN_QUESTIONS) - questions)


def reason(evaluation: Evaluation) -> str:
    """Why the verdict is what it is, in one or two sentences."""
    return _SEEN[evaluation.split] + _why(evaluation)


def _why(evaluation: Evaluation) -> str:
    recovered = evaluation.recovered
    if recovered is None:
        more = evaluation.more_questions
        return evaluation.recovered_note + (f" About {counted(more, 'more question')} would decide." if more else "")
    kept = f"{percent(recovered.value)} of the prompt's gain is recovered"
    bounds = f"the 95\u00a0% interval ({percent(recovered.low)} to {percent(recovered.high)})"
    match evaluation.verdict:
        case "pass":
            return f"{kept}, and {bounds} does not go below {percent(PASS_LOW)}."
        case "fail":
            return f"{kept}, and {bounds} is entirely below {percent(PASS_VALUE)}."
        case "undecided" if evaluation.decided_questions < MIN_QUESTIONS:
            decided = evaluation.decided_questions
            few = f"{decided} question{'s are' if decided != 1 else ' is'} too few"
            return f"{few}: at least {MIN_QUESTIONS} are needed. So far, {kept}."
        case "undecided" if evaluation.more_questions:
            needed = counted(evaluation.more_questions, "more question")
            return f"{kept}, but {bounds} is too wide; about {needed} would decide."
        case "undecided":
            return f"{kept}, but {bounds} is too wide; more questions or samples would decide."


def left_out(evaluation: Evaluation) -> str:
    """What is left out of the rates, or of the rate of all rules together, and why; empty if nothing is."""
    removed = removed_text(len(evaluation.removed)) if evaluation.removed else ""
    return " ".join(filter(None, (removed, _without_verdict(evaluation))))


def cut_off(evaluation: Evaluation) -> str:
    """Which arms have answers that were cut off at the limit; empty if hardly any of the student's or its reference's.

    Only those two are expected to end their answers as the rules ask, but every arm's count is given.
    """
    answers = evaluation.questions * evaluation.samples
    counts = {name: score.cut_off for name, score in evaluation.arms if score.cut_off}
    most = max(counts.get(name, 0) for name in ("distilled", evaluation.reference))
    if evaluation.max_answer_tokens is None or most < CUT_OFF_SHARE * answers or not most:
        return ""
    first, *others = (f"{count:,} of {answers:,} answers of {name}" for name, count in counts.items())
    others = [each.replace(" answers", "") for each in others]
    were = f"{', '.join([first, *others])} were cut off at {counted(evaluation.max_answer_tokens, 'token')}"
    return f"{were}, which can fail rules on how an answer ends. Evaluate again with a higher --max-answer-tokens."


def ending_text(answer: ArmAnswer, evaluation: Evaluation) -> str:
    """How an answer ended if it is not by itself, such as “cut off at 24 tokens”; empty otherwise."""
    match answer.finish_reason:
        case "stop" | "":
            return ""
        case "length":
            return f"cut off at {counted(evaluation.max_answer_tokens or answer.completion_tokens, 'token')}"
        case other:
            return f"ended by {other}"


def reference_text(reference: ArmName) -> str:
    """The arm that the student is compared with, as the subject of a sentence."""
    return "the teacher" if reference == "teacher" else "the prompted model"


def removed_text(questions: int) -> str:
    """What happened to questions that a person removed before all arms had answered them."""
    was, are = ("was", "is") if questions == 1 else ("were", "are")
    return f"{counted(questions, 'question')} {was} removed during the evaluation and {are} left out of every arm."


def _without_verdict(evaluation: Evaluation) -> str:
    if evaluation.judged is None or not evaluation.judged.missing:
        return ""
    arms = [f"{count:,} of {name}" for name, score in evaluation.arms if (count := evaluation.left_out(score))]
    if not arms:
        return ""
    return (
        f"Not counted in the all-rules rate, because the judge gave no verdict on some rule: {', '.join(arms)}, of "
        f"{counted(evaluation.questions * evaluation.samples, 'answer')} each. The verdict "
        f"rests on {counted(evaluation.decided_questions, 'question')} with every rule decided in every arm."
    )
