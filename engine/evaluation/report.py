"""The report: what the last evaluation proved, as the JSON that others read and as text for people."""

from dataclasses import dataclass

from engine.economics.estimate import EstimateInput, estimate
from engine.economics.prices import find_prices
from engine.economics.tokens import TokenCount
from engine.errors import NotFoundError
from engine.evaluation.table import render
from engine.project import Project
from engine.records.dataset import DatasetSummary
from engine.records.evaluation import ArmScore, Evaluation, Rate
from engine.records.options import TeacherSpec
from engine.records.run import Run

SCHEMA = 1
STAGES = ("questions", "generate", "curate", "train", "evaluate")
# What a hosted model of the student's size costs; the estimate's own defaults. A cache that always hits is the
# provider's best case, so the savings are never overstated.
DISTILLED_INPUT_USD_PER_MTOK = 0.05
DISTILLED_OUTPUT_USD_PER_MTOK = 0.20
CACHE_HIT_RATE = 1.0


@dataclass(frozen=True, slots=True)
class _Savings:
    """Money per 1,000 requests; None where the teacher has no known price."""

    prompted: float | None
    prompted_cached: float | None
    distilled: float | None
    break_even_uncached: float | None
    break_even_cached: float | None
    note: str


@dataclass(frozen=True, slots=True)
class _Facts:
    project: str
    evaluation: Evaluation
    run: Run
    dataset: DatasetSummary
    teacher: TeacherSpec
    prompt_tokens: int
    timings: dict[str, float]
    savings: _Savings


def report_json(project: Project) -> dict[str, object]:
    """The last evaluation as one JSON object, schema 1. Raises NotFoundError that names the next command."""
    facts = _facts(project)
    evaluation, run = facts.evaluation, facts.run
    timing: dict[str, object] = {f"{stage}_s": round(facts.timings.get(stage, 0.0), 3) for stage in STAGES}
    timing["total_s"] = round(sum(facts.timings.get(stage, 0.0) for stage in STAGES), 3)
    recovered = evaluation.recovered
    return {
        "schema": SCHEMA,
        "prompt": {
            "sha256": evaluation.prompt_sha256,
            "tokens": facts.prompt_tokens,
            "rules": len(_arm(evaluation, "prompted").rules),
        },
        "student": {
            "base": run.config.base,
            "adapter": f"{run.folder}/adapter",
            "lora_rank": run.config.lora_rank,
            "objective": run.config.objective,
            "device": run.device,
            "dtype": run.dtype,
        },
        "teacher": {"kind": facts.teacher.kind, "model": facts.teacher.model},
        "dataset": {
            "sha256": facts.dataset.sha256,
            "train": facts.dataset.train,
            "validation": facts.dataset.validation,
            "test": evaluation.questions,
        },
        "sampling": {"temperature": evaluation.temperature, "samples": evaluation.samples},
        "arms": {
            "teacher": None,
            **{name: _arm_json(score) for name, score in evaluation.arms},
        },
        "reference": evaluation.reference,
        "ceiling": None if evaluation.ceiling is None else {"all_rules": _rate_json(evaluation.ceiling)},
        "recovered": None
        if recovered is None
        else {"value": recovered.value, "low": recovered.low, "high": recovered.high},
        "recovered_note": evaluation.recovered_note,
        "verdict": evaluation.verdict,
        "savings": _savings_json(facts),
        "timing": timing,
        "peak_rss_mb": round(max(evaluation.peak_rss_mb, run.peak_rss_mb), 1),
    }


def report_text(project: Project, width: int = 80) -> str:
    """The last evaluation as a table of at most `width` cells (at least 72), with the verdict in words.

    Raises NotFoundError that names the next command.
    """
    facts = _facts(project)
    run, evaluation = facts.run, facts.evaluation
    prompted, distilled = _arm(evaluation, "prompted"), _arm(evaluation, "distilled")
    where = " ".join(part for part in (run.device, run.dtype) if part)
    lines = [
        ("student", f"{run.config.held_base}, LoRA rank {run.config.lora_rank}, {run.config.objective}, {where}"),
        ("teacher", facts.teacher.name),
        ("trained on", f"{facts.dataset.train} answers, {facts.dataset.validation} for validation"),
        ("prompt tokens saved", f"{facts.prompt_tokens} a request"),
    ]
    if prompted.ttft_ms_p50 > 0:
        ratio = distilled.ttft_ms_p50 / prompted.ttft_ms_p50
        lines.append(("first token comes after", f"{ratio:.2f} of the time that it takes with the prompt"))
    if evaluation.ceiling is not None:
        agreed = evaluation.ceiling
        words = f"{agreed.passed} of {agreed.total} second samples pass where the first did"
        lines.append((f"{evaluation.reference} with itself", words))
    if facts.timings:
        spent = ", ".join(f"{stage} {facts.timings[stage]:.0f} s" for stage in STAGES if stage in facts.timings)
        lines.append(("time", spent))
    lines.append(("most memory", f"{max(evaluation.peak_rss_mb, run.peak_rss_mb):.0f} MB"))
    return render(evaluation, f"{facts.project}, run {run.id}: a prompt against the student without it", lines, width)


def _facts(project: Project) -> _Facts:
    with project.snapshot():
        evaluation = project.evaluations.latest()
        if evaluation is None:
            raise NotFoundError("Nothing has been evaluated yet.", f"Project {project.name}.", _next(project))
        run = project.runs.get(evaluation.run_id)
        dataset = next(each for each in project.datasets.all() if each.sha256 == evaluation.dataset_sha256)
        teacher = project.settings.read().teacher
        timings = project.settings.timings()
        spent_usd = project.examples.spent_usd()
    question_tokens = _arm(evaluation, "unprompted").prompt_tokens_mean
    # Both arms were asked the same questions through the same chat format: what they differ by is the prompt.
    prompt_tokens = round(_arm(evaluation, "prompted").prompt_tokens_mean - question_tokens)
    savings = _savings(evaluation, teacher, run.config.base, prompt_tokens, spent_usd)
    return _Facts(project.name, evaluation, run, dataset, teacher, prompt_tokens, timings, savings)


def _next(project: Project) -> str:
    """The command that brings this project nearer to a report."""
    if project.prompts.current() is None:
        return "Set a prompt: distill-tui prompt set FILE"
    if not project.questions.count():
        return "Add questions: distill-tui questions import FILE"
    if not project.examples.counts().total:
        return "Let the teacher answer them: distill-tui generate"
    if project.datasets.latest() is None:
        return "Freeze the accepted answers: distill-tui curate freeze"
    run = project.runs.latest()
    if run is None or not run.best_step:
        return "Train the student: distill-tui train"
    return "Measure it: distill-tui evaluate"


def _savings(evaluation: Evaluation, teacher: TeacherSpec, base: str, prompt_tokens: int, spent_usd: float) -> _Savings:
    prices = find_prices(teacher.model, teacher.base_url) if teacher.kind == "endpoint" else None
    if prices is None:
        reason = "runs on this machine" if teacher.kind == "local" else "has no known price"
        return _Savings(None, None, None, None, None, f"The teacher {reason}, so no money is reckoned.")
    result = estimate(
        EstimateInput(
            prompt_tokens=TokenCount(prompt_tokens, base, exact=False),
            model=teacher.model,
            requests_per_day=0.0,
            question_tokens=_arm(evaluation, "unprompted").prompt_tokens_mean,
            answer_tokens=_arm(evaluation, "distilled").completion_tokens_mean,
            cache_hit_rate=CACHE_HIT_RATE,
            one_time_usd=spent_usd,
            distilled_input_usd_per_mtok=DISTILLED_INPUT_USD_PER_MTOK,
            distilled_output_usd_per_mtok=DISTILLED_OUTPUT_USD_PER_MTOK,
            prices=prices,
        )
    )
    return _Savings(
        1000 * result.prompted_usd,
        1000 * result.prompted_cached_usd,
        1000 * result.distilled_usd,
        result.break_even_requests.uncached,
        result.break_even_requests.cached,
        f"Teacher: {prices.source}; student hosted at ${DISTILLED_INPUT_USD_PER_MTOK} and "
        f"${DISTILLED_OUTPUT_USD_PER_MTOK} a million tokens; one-time cost: what the teacher's answers cost; cached: "
        "the provider's cache always hits. Tokens are counted as the student reads them.",
    )


def _savings_json(facts: _Facts) -> dict[str, object]:
    savings = facts.savings
    prompted, distilled = _arm(facts.evaluation, "prompted"), _arm(facts.evaluation, "distilled")
    return {
        "prompt_tokens_per_request": facts.prompt_tokens,
        "cost_usd_per_1000_requests": {
            "prompted": savings.prompted,
            "prompted_cached": savings.prompted_cached,
            "distilled": savings.distilled,
        },
        "ttft_ratio": distilled.ttft_ms_p50 / prompted.ttft_ms_p50 if prompted.ttft_ms_p50 > 0 else None,
        "break_even_requests": {"uncached": savings.break_even_uncached, "cached": savings.break_even_cached},
        "note": savings.note,
    }


def _arm(evaluation: Evaluation, name: str) -> ArmScore:
    return next(score for arm, score in evaluation.arms if arm == name)


def _arm_json(score: ArmScore) -> dict[str, object]:
    divergence = score.kl_to_prompted
    return {
        "rules": [
            {"id": rule.id, "text": rule.text, "kind": rule.kind, **_rate_json(rule.rate)} for rule in score.rules
        ],
        "all_rules": _rate_json(score.all_rules),
        "kl_to_prompted": None
        if divergence is None
        else {
            "mean": divergence.mean,
            "low": divergence.low,
            "high": divergence.high,
            "mean_free_tokens": divergence.mean_free_tokens,
        },
        "prompt_tokens_mean": score.prompt_tokens_mean,
        "completion_tokens_mean": score.completion_tokens_mean,
        "ttft_ms_p50": score.ttft_ms_p50,
        "tokens_per_second_p50": score.tokens_per_second_p50,
    }


def _rate_json(rate: Rate) -> dict[str, object]:
    return {"passed": rate.passed, "total": rate.total, "rate": rate.rate, "low": rate.low, "high": rate.high}
