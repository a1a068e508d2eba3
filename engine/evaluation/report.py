"""The result of the latest evaluation as JSON for other programs; `engine.reports` renders it for people."""

from dataclasses import asdict, dataclass, replace

from engine.curation.meaning import counts_of_now
from engine.economics.estimate import Estimate
from engine.economics.figures import estimate_costs
from engine.economics.measured import measure
from engine.economics.tokens import TokenCount
from engine.errors import DistillError, NotFoundError
from engine.evaluation.harness_json import harness_json
from engine.evaluation.measured_json import (
    comparison_json,
    interval_json,
    preference_json,
    regressions_json,
    rule_json,
)  # fmt: skip
from engine.evaluation.preference import PairStanding, standings
from engine.evaluation.verdict import MARGIN, MIN_QUESTIONS, PASS_LOW, PASS_VALUE
from engine.model.adapter_place import ADAPTER
from engine.project import Project
from engine.records.dataset import DatasetSummary
from engine.records.evaluation import ArmName, ArmScore, Evaluation
from engine.records.harness import HarnessResult
from engine.records.options import TeacherSpec
from engine.records.question import Split
from engine.records.run import Run
from engine.stations import why_stale
from engine.wording import percent

SCHEMA = 1
STAGES = ("questions", "generate", "curate", "train", "evaluate")


@dataclass(frozen=True, slots=True)
class ProofFacts:
    """An evaluation with everything it is based on. `costs` is None if unknown, and `costs_note` says why."""

    project: str
    evaluation: Evaluation
    run: Run
    dataset: DatasetSummary
    teacher: TeacherSpec  # who gave the answers that the student was trained on
    prompt_tokens: int  # that the student saves per request
    timings: dict[str, float]
    costs: Estimate | None
    costs_note: str
    votes: tuple[PairStanding, ...] = ()  # a person's votes on answers of this run and of the base
    harness: tuple[HarnessResult, ...] = ()  # results of the run's releases on public tasks
    stale: str = ""  # why the evaluation does not describe the project's current state

    def arm(self, name: ArmName) -> ArmScore:
        """An arm that every evaluation has."""
        return next(score for arm, score in self.evaluation.arms if arm == name)

    @property
    def ttft_ratio(self) -> float | None:
        """The student's time to the first token divided by the prompted model's; None if it was not measured."""
        prompted, distilled = self.arm("prompted").ttft_ms_p50, self.arm("distilled").ttft_ms_p50
        return distilled / prompted if prompted and distilled else None


def report_json(project: Project, run_id: int | None = None, split: Split | None = None) -> dict[str, object]:
    """Return the latest evaluation, optionally of one run or on one split, as one JSON object, schema 1.

    Raises NotFoundError that names the next command.
    """
    return proof_json(read_facts(project, run_id, split))


def proof_json(facts: ProofFacts) -> dict[str, object]:
    """The same, from facts that were already read."""
    evaluation, run = facts.evaluation, facts.run
    timing: dict[str, object] = {f"{stage}_s": round(facts.timings.get(stage, 0.0), 3) for stage in STAGES}
    timing["total_s"] = round(sum(facts.timings.get(stage, 0.0) for stage in STAGES), 3)
    return {
        "schema": SCHEMA,
        "prompt": {
            "sha256": evaluation.prompt_sha256,
            "tokens": facts.prompt_tokens,
            "rules": len(facts.arm("prompted").rules),
        },
        "student": {
            "run": run.id,
            "base": run.config.base,
            "adapter": f"{run.folder}/{ADAPTER}",
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
            **({"removed_meanwhile": len(evaluation.removed)} if evaluation.removed else {}),
            **({"prompts": facts.dataset.prompts} if facts.dataset.others else {}),
        },
        "sampling": {
            "split": evaluation.split,
            "temperature": evaluation.temperature,
            "samples": evaluation.samples,
            "max_answer_tokens": evaluation.max_answer_tokens,
            "limit": evaluation.limit,
            "seed": evaluation.seed,
            "reused_answers": evaluation.reused,
        },
        "arms": {
            "teacher": None,
            **{name: _arm_json(score) for name, score in evaluation.arms},
        },
        "reference": evaluation.reference,
        "ceiling": None if evaluation.ceiling is None else {"all_rules": asdict(evaluation.ceiling)},
        "recovered": interval_json(evaluation.recovered),
        "recovered_note": evaluation.recovered_note,
        "ratio": interval_json(evaluation.ratio),
        "verdict": evaluation.verdict,
        "stale": facts.stale or None,
        "non_inferiority": {
            "margin": MARGIN,
            "least_value": PASS_VALUE,
            "least_low": PASS_LOW,
            "least_questions": MIN_QUESTIONS,
            "more_questions": evaluation.more_questions,
            "questions": evaluation.decided_questions,
        },
        "comparisons": [comparison_json(each) for each in evaluation.comparisons],
        "votes": [_votes_json(pair) for pair in facts.votes],
        "preference": preference_json(evaluation.preference),
        "judge": _judge_json(evaluation),
        "regressions": regressions_json(evaluation.regressions),
        "harness": harness_json(facts.harness),
        "savings": _savings_json(facts),
        "timing": timing,
        "peak_rss_mb": round(max(evaluation.peak_rss_mb, run.peak_rss_mb), 1),
    }


def read_facts(project: Project, run_id: int | None = None, split: Split | None = None) -> ProofFacts:
    """Read the latest evaluation, as for `report_json`. Raises NotFoundError that names the next command."""
    with project.snapshot():
        if run_id is not None:
            project.runs.get(run_id)
        evaluation = project.evaluations.latest(run_id, split)
        if evaluation is None:
            which = f"Run {run_id} of project" if run_id is not None else "Project"
            step = f"Evaluate it: distill-tui evaluate --run {run_id}" if run_id is not None else _next(project)
            raise NotFoundError("Nothing has been evaluated yet.", f"{which} {project.name} has no evaluation.", step)
        run = project.runs.get(evaluation.run_id)
        dataset = next(each for each in project.datasets.all() if each.sha256 == evaluation.dataset_sha256)
        today = project.settings.read().teacher
        teacher = project.datasets.teacher_of(dataset.sha256) or today
        if evaluation.arm("teacher") is not None and teacher.model == run.config.base:
            teacher = today  # the arm is not the base that answered: it was named later
        # The times of this run and this evaluation; for earlier stages, the total time spent on them.
        own = {"train": run.train_s, "evaluate": evaluation.evaluate_s}
        timings = project.settings.timings() | {stage: seconds for stage, seconds in own.items() if seconds}
        votes = standings(project.votes.all(), run.id)
        harness = project.harness.standing(run.id)
    means = {name: score.prompt_tokens_mean for name, score in evaluation.arms}
    # Both arms were asked the same questions in the same chat format: they differ only by the prompt.
    prompt_tokens = round(means["prompted"] - means["unprompted"])
    costs, note = _costs(project, evaluation, today, TokenCount(prompt_tokens, run.config.base, exact=False))
    return ProofFacts(
        project.name, evaluation, run, dataset, teacher, prompt_tokens, timings, costs, note, votes, harness,
        why_stale(project, evaluation),
    )  # fmt: skip


def _costs(
    project: Project, evaluation: Evaluation, teacher: TeacherSpec, tokens: TokenCount
) -> tuple[Estimate | None, str]:
    """The costs from the project's own figures, at the teacher's prices unless the user named another model."""
    inputs, base_url = project.settings.cost_inputs(), ""
    if not inputs.model and inputs.input_usd_per_mtok is None:
        if teacher.kind == "local":
            return None, "The teacher runs on this machine, so no costs are calculated."
        inputs, base_url = replace(inputs, model=teacher.model), teacher.base_url
    try:
        costs = estimate_costs(inputs, measure(project, evaluation), tokens, base_url)
    except DistillError as error:
        return None, f"{error.title} {error.message} No costs are calculated."
    terms, sources = costs.given.terms, costs.given.sources
    return costs, (
        f"{inputs.model or 'The current model'}: {sources['prices']}; student hosted at "
        f"${terms.distilled_input_usd_per_mtok:g} (input) and ${terms.distilled_output_usd_per_mtok:g} (output) per "
        f"million tokens; one-time cost: {sources['one_time_usd']}; "
        f"cache hit rate: {percent(terms.cache_hit_rate)}. Tokens are counted with the "
        "student's tokenizer."
    )


def _next(project: Project) -> str:
    """The next command on the way to a report for this project."""
    if project.prompts.current() is None:
        return "Set a prompt: distill-tui prompt set FILE"
    if not project.questions.count():
        return "Add questions: distill-tui questions import FILE"
    if project.datasets.latest() is None:
        examples = counts_of_now(project)
        if not examples.total:
            return "Have the teacher answer the questions: distill-tui generate"
        if not examples.accepted:
            return "Review the answers: distill-tui curate check"
        return "Freeze the accepted answers: distill-tui curate freeze"
    run = project.runs.latest_trained()
    if run is None or not run.has_adapter:
        return "Train the student: distill-tui train"
    return "Evaluate the student: distill-tui evaluate"


def _savings_json(facts: ProofFacts) -> dict[str, object]:
    costs = facts.costs
    return {
        "prompt_tokens_per_request": facts.prompt_tokens,
        "cost_usd_per_1000_requests": {
            "prompted": None if costs is None else 1000 * costs.uncached.request_usd.value,
            "prompted_cached": None if costs is None else 1000 * costs.cached.request_usd.value,
            "distilled": None if costs is None else 1000 * costs.distilled_usd.value,
        },
        "ttft_ratio": facts.ttft_ratio,
        "break_even_requests": {
            "uncached": None if costs is None else costs.uncached.break_even_requests.value,
            "cached": None if costs is None else costs.cached.break_even_requests.value,
        },
        "note": facts.costs_note,
    }


def _judge_json(evaluation: Evaluation) -> dict[str, object] | None:
    found = evaluation.judged
    if found is None:
        return None
    return {
        "model": found.judge,
        "verdicts": found.verdicts,
        "missing": found.missing,
        "fault": found.fault,
        "left_out_of_all_rules": {name: evaluation.left_out(score) for name, score in evaluation.arms},
        "same_family_as": found.kin_to or None,
    }


def _arm_json(score: ArmScore) -> dict[str, object]:
    divergence = score.kl_to_prompted
    return {
        "rules": [rule_json(rule) for rule in score.rules],
        "all_rules": asdict(score.all_rules),
        "kl_to_prompted": None if divergence is None else asdict(divergence),
        "prompt_tokens_mean": score.prompt_tokens_mean,
        "completion_tokens_mean": score.completion_tokens_mean,
        "ttft_ms_p50": score.ttft_ms_p50 or None,
        "tokens_per_second_p50": score.tokens_per_second_p50 or None,
        "cut_off": score.cut_off,
    }


def _votes_json(pair: PairStanding) -> dict[str, object]:
    found = pair.standing
    return {
        "first": pair.first,
        "second": pair.second,
        "votes": found.votes,
        "first_preferred": found.first,
        "second_preferred": found.second,
        "ties": found.ties,
        "both_bad": found.both_bad,
        "blind": found.blind,
        "win_rate": None if found.win_rate is None else asdict(found.win_rate),
    }
