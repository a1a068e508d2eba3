"""Public tasks as a section of the report. Pure."""

from engine.evaluation.statistics import difference_stderr, task_outcome
from engine.records.harness import HarnessResult, Score, TaskScore
from engine.reports.document import Block, Column, Row, Section, Table, Words
from engine.reports.facts import ReportFacts
from engine.reports.numbers import MISSING, change, format_time
from engine.wording import counted

_DECIMALS = 3
_COLUMNS = (
    Column("task"),
    Column("metric"),
    Column("questions", number=True),
    Column("base", number=True),
    Column("release", number=True),
    Column("difference", number=True),
    Column("change"),
)


def public_tasks(facts: ReportFacts) -> Section | None:
    """The scores of the release and its base on public tasks; None if no task was run."""
    return harness_section(facts.proof.harness) if facts.proof.harness else None


def harness_section(results: tuple[HarnessResult, ...]) -> Section:
    """Every result with its metrics; the parts of groups are folded away."""
    blocks: list[Block] = [
        Words(
            "What the model can do beyond its prompt: public tasks, run by lm-evaluation-harness on the base and on "
            "the release, without the prompt. \u00b1 is the standard error. Base and release answer the same "
            "questions, but the error of their difference is calculated as if they did not, so it tends to be too "
            "large."
        )
    ]
    for result in results:
        whole, parts = ([_row(each) for each in result.scores if each.asked is asked] for asked in (True, False))
        blocks.append(Table(_caption(result), _COLUMNS, tuple(whole)))
        if parts:
            caption = f"{counted(len(parts), 'subtask')} of these groups"
            blocks.append(Table(caption, _COLUMNS, tuple(parts), folded=True))
    return Section("public", "Public tasks", tuple(blocks))


def _caption(result: HarnessResult) -> str:
    few = "" if result.few_shot is None else f", {result.few_shot}-shot"
    limit = "" if result.limit is None else f", at most {counted(result.limit, 'question')} per task"
    chat = "" if result.chat_template else ", without the chat template"
    version = f"lm-eval {result.version}".strip()
    when = format_time(result.created_at)
    return f"Release {result.release_id} of run {result.run_id}, {version}{limit}{few}{chat}, {when}"


def _row(score: TaskScore) -> Row:
    found, stderr = task_outcome(score), difference_stderr(score)
    undecided = MISSING if stderr is None or score.higher_is_better is None else "not significant"
    metric = score.metric if score.filter == "none" else f"{score.metric}, {score.filter}"
    return Row(
        (
            score.task,
            metric,
            MISSING if score.questions is None else f"{score.questions:,}",
            _score_text(score.base),
            _score_text(score.released),
            change(score.released.value, score.base.value, _DECIMALS) + _error(stderr),
            undecided if found == "undecided" else found,
        ),
        strong=found == "worse",
    )


def _score_text(score: Score) -> str:
    return f"{score.value:,.{_DECIMALS}f}{_error(score.stderr)}"


def _error(stderr: float | None) -> str:
    return "" if stderr is None else f"\u00a0\u00b1\u00a0{stderr:.{_DECIMALS}f}"
