"""The benchmark as a document with one table: a row per measure, a column per prompt. Pure; reads nothing."""

from collections.abc import Callable, Sequence

import engine
from engine.benchmark.results import Result, versions
from engine.records.evaluation import ArmName, ArmScore
from engine.records.options import ProjectSettings
from engine.reports.document import Column, Document, Measured, Row, Section, Table, Words
from engine.reports.numbers import MISSING, known, measured, nats, of_rate

_ARMS: tuple[ArmName, ...] = ("unprompted", "prompted", "teacher", "distilled")
_UNMEASURED = {"nothing_to_train_on": "no teacher", "failed": "failed"}


def table_of(results: Sequence[Result], settings: ProjectSettings, *, quick: bool) -> Document:
    """Return the document; four prompts, one column each, fit into 80 cells."""
    passed = sum(result.evaluation is not None and result.evaluation.verdict == "pass" for result in results)
    teacher = settings.teacher.name if settings.other_teacher is not None else "the base itself, with the prompt"
    arms = [arm for arm in _ARMS if arm != "teacher" or any(_arm(result, arm) for result in results)]
    rows = [
        _row("prompt tokens", results, lambda result: f"{'' if result.tokens.exact else '≈'}{result.tokens.tokens:,}"),
        _row("rules", results, lambda result: str(len(result.benchmark.rules))),
        _row("test questions", results, lambda result: str(dict(result.questions)["test"])),
        _row("accepted answers", results, lambda result: f"{result.accepted.passed} of {result.accepted.total}"),
        *(_arm_row("all rules", arm, results, lambda score: measured(of_rate(score.all_rules))) for arm in arms),
        *(_row(f"mean rule {arm}", results, _mean_of(arm)) for arm in arms),
        _row("recovered", results, _recovered, strong=True),
        *(_arm_row("KL", arm, results, _kl) for arm in arms if arm not in ("prompted", "teacher")),
        _row("verdict", results, _verdict, strong=True),
        _row("tokens saved", results, lambda result: f"{result.tokens.tokens:,}" if result.evaluation else MISSING),
        _row("first token, ratio", results, _first_token),
        _row("seconds", results, lambda result: known(result.seconds)),
    ]
    columns = (Column("benchmark prompt"), *(Column(result.benchmark.name, number=True) for result in results))
    caption = "Rules and recovered in % with 95 % intervals; KL to prompted in nats per token"
    notes = [Words(f"{result.benchmark.name}: {result.note}") for result in results if result.note]
    return Document(
        title="Benchmark" + (", quick" if quick else ""),
        subtitle=f"base {settings.student_base}, teacher: {teacher}",
        verdict=f"{passed} of {len(results)} passed",
        tone="plain",
        sections=(Section("prompts", "Prompts", (Table(caption, columns, tuple(rows)), *notes)),),
        colophon=_colophon(results),
    )


def _colophon(results: Sequence[Result]) -> str:
    libraries = ", ".join(f"{name} {found}" for name, found in versions().items() if found)
    data = ", ".join(f"{result.benchmark.name} {result.benchmark.data_sha256[:12]}" for result in results)
    return (
        f"distill-tui {engine.__version__}; {libraries}. SHA-256 of the data: {data}. All seeds 0; --json has the rest."
    )


def _row(name: str, results: Sequence[Result], cell: Callable[[Result], str], *, strong: bool = False) -> Row:
    return Row((name, *(cell(result) for result in results)), strong=strong)


def _arm_row(name: str, arm: ArmName, results: Sequence[Result], cell: Callable[[ArmScore], str]) -> Row:
    return _row(f"{name} {arm}", results, lambda result: MISSING if (s := _arm(result, arm)) is None else cell(s))


def _arm(result: Result, arm: ArmName) -> ArmScore | None:
    return result.evaluation.arm(arm) if result.evaluation else None


def _mean_of(arm: ArmName) -> Callable[[Result], str]:
    def cell(result: Result) -> str:
        found = dict(result.mean_rule).get(arm)
        return MISSING if found is None else measured(Measured(found.value, found.low, found.high))

    return cell


def _recovered(result: Result) -> str:
    if result.evaluation is None:
        return MISSING
    found = result.evaluation.recovered
    return "undefined" if found is None else measured(Measured(found.value, found.low, found.high))


def _kl(score: ArmScore) -> str:
    return MISSING if score.kl_to_prompted is None else nats(score.kl_to_prompted.mean)


def _verdict(result: Result) -> str:
    return result.evaluation.verdict if result.evaluation else _UNMEASURED[result.state]


def _first_token(result: Result) -> str:
    prompted, distilled = _arm(result, "prompted"), _arm(result, "distilled")
    if prompted is None or distilled is None or not prompted.ttft_ms_p50 or not distilled.ttft_ms_p50:
        return MISSING
    return f"{distilled.ttft_ms_p50 / prompted.ttft_ms_p50:.2f}"
