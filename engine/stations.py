"""The state of each station: a pure function of the facts of a project. Speaks no SQL.

Something is stale if it was made from an older prompt, question set or dataset than the current one, for another
base, or from something that is itself stale.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from engine.project import Project
from engine.records.dataset import DatasetSummary
from engine.records.evaluation import Evaluation
from engine.records.example import ExampleCounts
from engine.records.job import TROUBLE, Job
from engine.records.options import GenerateOptions
from engine.records.question import SPLITS, Split
from engine.records.run import Run
from engine.records.station import Station, StationName
from engine.store.jobs import options_of_job
from engine.wording import counted

_WORKED_BY_JOBS: tuple[StationName, ...] = ("questions", "examples", "dataset", "run", "evaluation", "release")
_LEARNT_FROM: tuple[Split, ...] = ("train", "validation")


@dataclass(frozen=True, slots=True)
class StationFacts:
    """Everything that the states depend on. Hashes are empty, and numbers 0, if there is nothing."""

    student_base: str = ""
    prompt_sha256: str = ""
    prompt_version: int = 0
    prompt_versions: int = 0
    datasets: int = 0
    rules: int = 0
    splits: Mapping[Split | None, int] = field(default_factory=dict)
    topics: int = 0
    examples: ExampleCounts = field(default_factory=ExampleCounts)  # of the current prompt
    examples_of_older_prompts: int = 0
    questions_newer_than_examples: int = 0
    questions_unanswered: int = 0  # in these splits; not counted once the answers are frozen
    answers_missing: tuple[int, int] = (0, 0)  # how many of how many, if the newest generation was stopped
    accepted_sha256: str = ""
    dataset: DatasetSummary | None = None  # the latest, as are all below
    dataset_accepted_sha256: str = ""
    runs: int = 0
    run_id: int = 0  # of the latest with an adapter, else of the latest: an abandoned run makes nothing stale
    run_dataset_sha256: str = ""
    run_made: bool = False  # it has an adapter
    run_note: str = ""  # of the latest, whatever became of it
    run_failed: bool = False
    evaluations: int = 0
    evaluation_run_id: int = 0
    evaluation_prompt_sha256: str = ""
    evaluation_rules_changed: bool = False  # since it was made
    evaluation_note: str = ""
    releases: int = 0
    release_run_id: int = 0
    release_note: str = ""
    live: Mapping[StationName, str] = field(default_factory=dict)  # notes of live jobs, by station
    trouble: Mapping[StationName, str] = field(
        default_factory=dict
    )  # notes of the newest jobs that failed or were lost


def read_stations(project: Project) -> tuple[Station, ...]:
    """Return the state of each of the seven stations."""
    return judge(read_facts(project))


def read_facts(project: Project) -> StationFacts:
    """Read the facts from the tables, all as of one moment."""
    with project.snapshot():
        prompt = project.prompts.current()
        sha256 = prompt.prompt.sha256 if prompt else ""
        examples = project.examples.counts(sha256)
        dataset, latest = project.datasets.latest(), project.runs.latest_begun()
        trained = project.runs.trained_id()
        run = project.runs.get(trained) if latest is not None and trained not in (0, latest.id) else latest
        evaluation, releases = project.evaluations.latest(), project.releases.all()
        live = {
            job.stage: job.note or (f"{job.done} of {job.total}" if job.total else job.state)
            # A waiting job's note must not hide that of the one that is running: the last one counts.
            for job in sorted(project.jobs.live(), key=lambda job: job.state != "waiting")
            if job.kind != "serve"  # a server runs beside whatever else is done
        }
        makers = {name: project.jobs.latest(name) for name in _WORKED_BY_JOBS}
        trouble = {name: job.note or job.state for name, job in makers.items() if job and job.state in TROUBLE}
        frozen = dataset is not None and dataset.prompt_sha256 == sha256
        facts = StationFacts(
            student_base=project.settings.read().student_base,
            prompt_sha256=sha256,
            prompt_version=prompt.version if prompt else 0,
            prompt_versions=project.prompts.count(),
            rules=len(project.rules.all()),
            splits=project.questions.split_counts(),
            topics=len(project.questions.topics()),
            examples=examples,
            examples_of_older_prompts=project.examples.count() - examples.total,
            questions_newer_than_examples=project.questions.newer_than_examples(sha256),
            questions_unanswered=0 if frozen else project.questions.unanswered(sha256),
            answers_missing=_missing(project.jobs.latest("examples", begun=True)),
            accepted_sha256=project.examples.accepted_sha256(sha256),
            datasets=len(project.datasets.all()),
            dataset=dataset,
            dataset_accepted_sha256=project.datasets.frozen_from(dataset.sha256) if dataset else "",
            runs=project.runs.count(),
            run_id=run.id if run else 0,
            run_dataset_sha256=run.dataset_sha256 if run else "",
            run_made=run is not None and run.has_adapter,
            run_note=_run_note(latest) if latest else "",
            run_failed=latest is not None and latest.state == "failed",
            evaluations=project.evaluations.count(),
            evaluation_note=f"{evaluation.verdict}, run {evaluation.run_id}" if evaluation else "",
            releases=len(releases),
            release_run_id=releases[-1].run_id if releases else 0,
            release_note=f"{releases[-1].kind} of run {releases[-1].run_id}" if releases else "",
            live=live,
            trouble=trouble,
        )
        return facts if evaluation is None else _with(facts, evaluation, project.rules.sha256())


def why_stale(project: Project, evaluation: Evaluation) -> str:
    """Return why this evaluation, the latest or another, does not apply to the project as it is now, or ""."""
    facts = _with(read_facts(project), evaluation, project.rules.sha256())
    at_rest = replace(facts, live={}, trouble={}, run_failed=False)  # jobs in progress do not change what is there
    return _age_of_evaluation(at_rest, _run(at_rest, _dataset(at_rest, _examples(at_rest))))


def _with(facts: StationFacts, evaluation: Evaluation, rules_sha256: str) -> StationFacts:
    """Return the facts with this evaluation as the one to judge."""
    return replace(
        facts,
        evaluation_run_id=evaluation.run_id,
        evaluation_prompt_sha256=evaluation.prompt_sha256,
        evaluation_rules_changed=evaluation.rules_sha256 not in ("", rules_sha256),
    )


def _run_note(run: Run) -> str:
    return run.reason or f"run {run.id}, {run.state}, step {run.step} of {run.steps}"


def _missing(generation: Job | None) -> tuple[int, int]:
    """How many answers a stopped generation left out, of how many; not if it asked again for stored answers."""
    if generation is None or generation.state != "stopped":
        return 0, 0
    options = options_of_job(generation)
    again = isinstance(options, GenerateOptions) and bool(options.asks)
    return (0, 0) if again else (generation.total - generation.done, generation.total)


def judge(facts: StationFacts) -> tuple[Station, ...]:
    """Return the seven stations in order. Pure: the same facts give the same stations."""
    examples = _examples(facts)
    dataset = _dataset(facts, examples)
    run = _run(facts, dataset)
    return _prompt(facts), _questions(facts), examples, dataset, run, _evaluation(facts, run), _release(facts, run)


def _prompt(facts: StationFacts) -> Station:
    rules = counted(facts.rules, "rule") if facts.rules else "no rules yet"
    return _station(facts, "prompt", facts.prompt_versions, f"version {facts.prompt_version}, {rules}")


def _questions(facts: StationFacts) -> Station:
    parts = [f"{name} {facts.splits[name]}" for name in SPLITS if facts.splits.get(name)]
    if unsplit := facts.splits.get(None, 0):
        parts.append(f"{unsplit} not split yet")
    note = f"{counted(facts.topics, 'topic')}: {', '.join(parts)}"
    station = _station(facts, "questions", sum(facts.splits.values()), note, possible=facts.prompt_versions > 0)
    return replace(station, state="ready") if station.state == "done" and unsplit else station


def _examples(facts: StationFacts) -> Station:
    counts, newer = facts.examples, facts.questions_newer_than_examples
    unanswered = facts.questions_unanswered
    stale = ""
    if not counts.total:
        stale = "made from an older prompt"
    elif newer:
        stale = f"{counted(newer, 'newer question')} without an answer"
    station = _station(
        facts,
        "examples",
        counts.total or facts.examples_of_older_prompts,
        f"{counts.words}; {counted(unanswered, 'question')} unanswered" if unanswered else counts.words,
        possible=facts.prompt_versions > 0 and any(facts.splits.get(name) for name in _LEARNT_FROM),
        stale=stale,
    )
    missing, wanted = facts.answers_missing
    frozen = facts.dataset is not None and facts.dataset.prompt_sha256 == facts.prompt_sha256
    if station.state == "done" and missing > 0 and not frozen:  # frozen answers are enough
        return replace(station, state="ready", note=f"stopped, {missing:,} of {wanted:,} answers missing")
    return station


def _dataset(facts: StationFacts, examples: Station) -> Station:
    dataset, possible = facts.dataset, facts.examples.accepted > 0
    if dataset is None:
        return _station(facts, "dataset", 0, possible=possible)
    stale = ""
    if dataset.prompt_sha256 != facts.prompt_sha256:
        stale = "made from an older prompt"
    elif dataset.base != facts.student_base:
        stale = "made for another base"
    elif facts.dataset_accepted_sha256 != facts.accepted_sha256:
        stale = "other examples are accepted now"
    elif examples.state == "stale":
        stale = "its examples are stale"
    note = f"train {dataset.train}, validation {dataset.validation}"
    if dataset.others:
        note += f", {dataset.prompts} prompts"
    return _station(facts, "dataset", facts.datasets, note, possible=possible, stale=stale)


def _run(facts: StationFacts, dataset: Station) -> Station:
    stale = ""
    if facts.dataset is not None and facts.run_dataset_sha256 != facts.dataset.sha256:
        stale = "trained on an older dataset"
    elif dataset.state == "stale":
        stale = "its dataset is stale"
    station = _station(facts, "run", facts.runs, facts.run_note, possible=facts.dataset is not None, stale=stale)
    if facts.run_failed and station.state in ("done", "stale"):
        return replace(station, state="failed", note=facts.run_note)
    if not facts.run_made and station.state == "done":
        return replace(station, state="ready")
    return station


def _evaluation(facts: StationFacts, run: Station) -> Station:
    stale = _age_of_evaluation(facts, run)
    return _station(facts, "evaluation", facts.evaluations, facts.evaluation_note, possible=facts.run_made, stale=stale)


def _age_of_evaluation(facts: StationFacts, run: Station) -> str:
    """Return why it is stale; empty if it is not."""
    if facts.evaluation_run_id != facts.run_id:
        return "measured on an older run"
    if facts.evaluation_prompt_sha256 != facts.prompt_sha256:
        return "measured with an older prompt"
    if facts.evaluation_rules_changed:
        return "measured under other rules"
    return "its run is stale" if run.state == "stale" else ""


def _release(facts: StationFacts, run: Station) -> Station:
    stale = ""
    if facts.release_run_id != facts.run_id:
        stale = "made from an older run"
    elif run.state == "stale":
        stale = "its run is stale"
    return _station(facts, "release", facts.releases, facts.release_note, possible=facts.run_made, stale=stale)


def _station(
    facts: StationFacts, name: StationName, count: int, note: str = "", *, possible: bool = False, stale: str = ""
) -> Station:
    """Return the station: a running or failed job comes first, then what is there, then what could be made."""
    if name in facts.live:
        return Station(name, "running", count, facts.live[name])
    if name in facts.trouble:
        return Station(name, "failed", count, facts.trouble[name])
    if count:
        return Station(name, "stale" if stale else "done", count, stale or note)
    return Station(name, "ready" if possible else "empty", 0, "can be made now" if possible else "none yet")
