"""The plan of an evaluation, read from the project once: run, prompt, rules, questions, and the storage key."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import DatasetError, NotFoundError
from engine.evaluation.extra_arms import ExtraArm, find_arms
from engine.model.adapter_files import weights_sha256
from engine.model.adapter_place import adapter_of
from engine.project import Project
from engine.questions.sampling import stable_sample
from engine.records.evaluation import ArmName
from engine.records.options import EvaluateOptions
from engine.records.prompt import Prompt
from engine.records.question import Question
from engine.records.regressions import ProbeKind
from engine.records.rule import Rule
from engine.records.run import Run
from engine.seeds import answer_seed


@dataclass(frozen=True, slots=True)
class Task:
    """One answer to generate: the `sample`-th of this question. Its seed is the same in every arm."""

    question: Question
    sample: int
    seed: int
    probe: ProbeKind | None = None  # set for a probe, whose number is its question's id; None for a held-out question


@dataclass(frozen=True, slots=True)
class Plan:
    """What an evaluation will do; while the arms answer, questions may be removed but never added."""

    run: Run
    adapter: Path
    prompt: Prompt
    rules: tuple[Rule, ...]
    questions: tuple[Question, ...]
    tasks: tuple[Task, ...]
    arms: tuple[ArmName, ...]
    key: str  # identifies this evaluation, so that one that was killed resumes where it stopped
    sources: Mapping[ArmName, str]  # a hash of what determines each arm's answers, besides question and sample
    extras: tuple[ExtraArm, ...] = ()
    rules_sha256: str = ""  # of all rules of the project, including those without a judge

    @property
    def single_turn(self) -> bool:
        """Whether every question is one message."""
        return all(len(question.messages) == 1 for question in self.questions)

    def key_of(self, arm: ArmName) -> str:
        """The key under which the store keeps this arm's answers; an extra arm's key depends on its adapter."""
        sha256 = next((extra.sha256 for extra in self.extras if extra.name == arm), "")
        return hashlib.sha256(f"{self.key} {sha256}".encode()).hexdigest() if sha256 else self.key

    def without(self, questions: Collection[int]) -> "Plan":
        """Return the plan without these questions, by number. Raises DatasetError if none is left."""
        left = tuple(question for question in self.questions if question.id not in questions)
        if not left:
            raise DatasetError(
                "There are no questions left to evaluate on.",
                "All of them were removed during the evaluation.",
                "Add questions and split them: distill-tui questions split",
            )
        tasks = tuple(task for task in self.tasks if task.question.id not in questions)
        return replace(self, questions=left, tasks=tasks)

    @property
    def reference(self) -> ArmName:
        return "teacher" if "teacher" in self.arms else "prompted"


def make_plan(project: Project, options: EvaluateOptions) -> Plan:
    """Return the plan for `options`. Raises NotFoundError without a trained run, DatasetError without questions."""
    run = project.runs.get(options.run_id)
    adapter = adapter_of(project.folder, run)
    summary = next((each for each in project.datasets.all() if each.sha256 == run.dataset_sha256), None)
    if summary is None:
        raise NotFoundError(
            "The run's dataset no longer exists.", f"Run {run.id} was trained on {run.dataset_sha256[:12]}."
        )
    held_out = project.questions.by_id(options.split)
    asked = stable_sample({number: question.topic for number, question in held_out.items()}, options.limit)
    questions = tuple(question for number, question in held_out.items() if number in asked)
    if not questions:
        raise DatasetError(
            "There are no questions to evaluate on.",
            f"The {options.split} split is empty.",
            "Add questions and split them: distill-tui questions split",
        )
    extras = find_arms(project, options.arms, run)
    teacher = () if options.teacher is None else ("teacher",)
    prompt = project.prompts.by_sha256(summary.prompt_sha256)
    weights = weights_sha256(adapter)
    return Plan(
        run=run,
        adapter=adapter,
        prompt=prompt,
        rules=tuple(rule for rule in project.rules.all() if options.judge is not None or not rule.needs_judge),
        questions=questions,
        tasks=tuple(
            Task(question, sample, answer_seed(options.seed, question.id, sample))
            for question in questions
            for sample in range(options.samples)
        ),
        arms=("unprompted", "prompted", "distilled", *teacher, *(extra.name for extra in extras)),
        extras=extras,
        key=_key(project, run, weights, options),
        sources=_sources(run, weights, prompt, extras, options),
        rules_sha256=project.rules.sha256(),
    )


def _key(project: Project, run: Run, weights: str, options: EvaluateOptions) -> str:
    # `limit` only selects questions: existing answers are equally valid for another limit.
    asked = (
        run.id, options.temperature, options.samples, options.max_answer_tokens, options.seed, options.teacher,
    )  # fmt: skip
    return hashlib.sha256(f"{asked} {weights} {project.rules.sha256()}".encode()).hexdigest()


def _sources(
    run: Run, weights: str, prompt: Prompt, extras: Sequence[ExtraArm], options: EvaluateOptions
) -> dict[ArmName, str]:
    """A hash for each arm over model, prompt and sampling: arms with equal hashes would give the same answers.

    Not included: the run, which does not affect an arm without its adapter; the number of samples, because each has its
    own seed; the rules, because any answer can be checked again.
    """
    config, teacher = run.config, options.teacher
    elsewhere = teacher is not None and teacher.kind == "endpoint"  # then the run's device does not matter
    base = (config.loaded_base, config.device, config.dtype)
    parts: dict[ArmName, tuple[object, ...]] = {
        "unprompted": (base, "", ""),
        "prompted": (base, "", prompt.sha256),
        "distilled": (base, weights, ""),
        "teacher": (teacher, "auto" if elsewhere else config.device, prompt.sha256),
    }
    for extra in extras:
        parts[extra.name] = (base, extra.sha256 or weights, prompt.sha256 if extra.prompted else "")
    sampling = (options.temperature, options.max_answer_tokens, options.seed)
    return {arm: hashlib.sha256(f"{found} {sampling}".encode()).hexdigest() for arm, found in parts.items()}
