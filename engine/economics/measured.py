"""The figures of the estimate that a project has measured itself; None for the others.

Reads the project's tables; computes means and rates and nothing else.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.economics.formulas import DAYS_PER_YEAR
from engine.economics.inputs import Latency, PromptFacts
from engine.economics.prices import cost_usd, prices_for
from engine.economics.tokens import estimate_prompt_tokens
from engine.prompts.variables import find_variables
from engine.records.cost import EndpointPrices, Figure
from engine.records.evaluation import Evaluation
from engine.records.example import Usage
from engine.records.options import TrainOptions
from engine.records.prompt import Prompt, PromptVersion
from engine.store.jobs import options_of_job
from engine.wording import counted

if TYPE_CHECKING:
    from engine.project import Project


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures by their names in `CostInputs`, the time to the first token, and facts about the prompt."""

    question_tokens: Figure | None = None
    answer_tokens: Figure | None = None
    generation_usd: Figure | None = None
    gpu_hours: Figure | None = None
    gpu_usd_per_hour: Figure | None = None
    retrainings_per_year: Figure | None = None
    prefill_tokens_per_s: Figure | None = None
    latency: Latency | None = None
    prompt_facts: PromptFacts | None = None
    own_prices: tuple[EndpointPrices, ...] = ()  # given in the project's settings

    def of(self, name: str) -> Figure | None:
        """Return the figure of this name, if it was measured."""
        found: object = getattr(self, name, None)
        return found if isinstance(found, Figure) else None


def measure(project: "Project", evaluation: Evaluation | None = None) -> Measured:
    """Return the tokens and times of `evaluation` (by default the last one), the cost of answers and training, and how
    often the prompt changed.
    """
    evaluation = evaluation or project.evaluations.latest()
    unprompted = evaluation.arm("unprompted") if evaluation is not None else None
    distilled = evaluation.arm("distilled") if evaluation is not None else None
    source = f"evaluation of run {evaluation.run_id}" if evaluation is not None else ""
    question = Figure(round(unprompted.prompt_tokens_mean, 1), "measured", source) if unprompted else None
    answer = Figure(round(distilled.completion_tokens_mean, 1), "measured", source) if distilled else None
    if answer is None and (mean := project.spending.mean_answer_tokens()) is not None:
        answer = Figure(round(mean, 1), "measured", "the teacher's answers")
    versions = project.prompts.versions()
    facts = facts_of_versions(versions)
    hours, price = _training(project)
    current = next((each.prompt.sha256 for each in versions if each.current), "")
    latency, speed = _first_token(evaluation, current) if evaluation is not None else (None, None)
    return Measured(
        question_tokens=question,
        answer_tokens=answer,
        generation_usd=_generation(project, question, answer),
        gpu_hours=hours,
        gpu_usd_per_hour=price,
        retrainings_per_year=_changes(facts),
        prefill_tokens_per_s=speed,
        latency=latency,
        prompt_facts=facts,
        own_prices=project.settings.read().prices,
    )


def facts_of_prompt(prompt: Prompt, versions: int = 1, days: float = 0.0) -> PromptFacts:
    """Return the facts of a prompt: its variables, with the given history."""
    found = (each.name for message in prompt.messages for each in find_variables(message.content))
    return PromptFacts(versions, days, tuple(dict.fromkeys(found)))


def facts_of_versions(versions: Sequence[PromptVersion]) -> PromptFacts | None:
    """Return the facts of the current version; None if there is no version."""
    current = next((each.prompt for each in versions if each.current), None)
    if current is None:
        return None
    began = min(datetime.fromisoformat(each.created_at) for each in versions)
    age = datetime.now(UTC) - (began if began.tzinfo else began.replace(tzinfo=UTC))
    return facts_of_prompt(current, len(versions), max(age.total_seconds() / 86_400, 0.0))


def _changes(facts: PromptFacts | None) -> Figure | None:
    """Return the retrainings per year: each new version needs one."""
    if facts is None or not facts.settled:
        return None
    value = (facts.versions - 1) * DAYS_PER_YEAR / facts.days
    return Figure(round(value, 2), "measured", f"{facts.versions} versions of the prompt in {facts.days:,.0f} days")


def _generation(project: "Project", question: Figure | None, answer: Figure | None) -> Figure | None:
    """Return what generation has cost so far; before any answer, an estimate for all questions if the teacher has a
    price.
    """
    spent = project.spending.usd()
    if spent > 0 and project.spending.mean_answer_tokens() is not None:
        return Figure(spent, "measured", "paid so far")
    settings = project.settings.read()
    teacher = settings.teacher
    if teacher.kind == "local":
        return Figure(0.0, "exact", "the teacher is on this machine")
    prompt, wanted = project.prompts.current(), project.questions.count()
    if prompt is None or not wanted or answer is None:
        return None
    sent = math.ceil(estimate_prompt_tokens(prompt.prompt).tokens + (question.value if question is not None else 0))
    prices = prices_for(settings.prices, teacher.model, teacher.base_url, sent)
    if prices is None:
        return None
    each = cost_usd(prices, Usage(sent, math.ceil(answer.value)))
    return Figure(wanted * each, "estimated", f"{counted(wanted, 'answer')} of {teacher.model}")


def _training(project: "Project") -> tuple[Figure | None, Figure | None]:
    """Return the hours of the last finished run, summed over its processes, and their price if no GPU was used."""
    run = next((each for each in reversed(project.runs.all()) if each.state == "done" and each.train_s > 0), None)
    if run is None:
        return None, None
    price = Figure(0.0, "exact", "this machine's processor") if run.device in ("", "cpu") else None
    processes, source = 1, f"run {run.id}"
    for number in project.runs.trained_by().get(run.id, ()):  # if there were several jobs, the last one counts
        options = options_of_job(project.jobs.get(number))
        if not isinstance(options, TrainOptions):
            continue
        processes, source = options.processes or 1, f"run {run.id}"
        if options.processes is None:
            source += ", counted as one process: the number that a launcher started is not recorded"
        elif processes > 1:
            source += f", {processes} processes"
    return Figure(processes * run.train_s / 3_600, "measured", source), price


def _first_token(evaluation: Evaluation, sha256: str) -> tuple[Latency | None, Figure | None]:
    """Return the latency if this prompt was measured (else None), and the base's prefill speed."""
    prompted, distilled = evaluation.arm("prompted"), evaluation.arm("distilled")
    if prompted is None or distilled is None or not prompted.ttft_ms_p50 or not distilled.ttft_ms_p50:
        return None, None
    saved = prompted.ttft_ms_p50 - distilled.ttft_ms_p50
    tokens = prompted.prompt_tokens_mean - distilled.prompt_tokens_mean
    source = f"evaluation of run {evaluation.run_id}"
    speed = Figure(1_000 * tokens / saved, "measured", source) if saved > 0 and tokens > 0 else None
    if evaluation.prompt_sha256 != sha256:
        return None, speed
    return Latency(prompted.ttft_ms_p50, distilled.ttft_ms_p50, Figure(saved, "measured", source)), speed
