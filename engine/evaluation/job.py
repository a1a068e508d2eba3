"""The evaluation, as a job: every arm answers the held-out questions, then divergence and speed are measured.

Answers are stored as they finish, under a key that names this evaluation: one that was killed goes on where it was.
Divergence and speed take a small part of the time and are measured anew.
"""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from engine.evaluation.comparison import compare
from engine.evaluation.plan import Plan, Task, make_plan
from engine.evaluation.recorder import Recorder
from engine.evaluation.scores import ArmMeasures, ceiling, ratio_of_answers, recovered_of_answers, score_arm
from engine.evaluation.teacher_arm import EndpointArm
from engine.evaluation.verdict import more_questions, verdict
from engine.jobs.context import JobContext
from engine.records.evaluation import ArmAnswer, ArmName, Divergence, Evaluation
from engine.records.options import EvaluateOptions, TeacherSpec

if TYPE_CHECKING:
    from engine.evaluation.arms import LocalArm
    from engine.model.load import LocalModel

Speed = tuple[float, float]  # median ms to the first token, median tokens a second


def run(context: JobContext, options: EvaluateOptions) -> None:
    """Evaluate the run that `options` names, and keep the evaluation in the project.

    `evaluate_s` is what this process took. Raises NotFoundError, DatasetError, ModelError, ContextError,
    EndpointError, and JobStopped when asked to stop.
    """
    started = time.monotonic()
    plan = make_plan(context.project, options)
    evaluation = _Evaluation(context, options, plan)
    measures = evaluation.measure()
    stored = evaluation.stored_answers()
    answers = {arm: stored[arm] for arm in plan.arms}
    recovered = recovered_of_answers(plan.questions, answers, plan.reference, options.seed)
    comparisons = compare(plan.rules, plan.questions, answers, _pairs(plan), options.seed)
    gain = next(each.all_rules for each in comparisons if (each.arm, each.against) == ("unprompted", plan.reference))
    seconds = time.monotonic() - started
    context.project.evaluations.add(
        Evaluation(
            id=0,
            run_id=plan.run.id,
            dataset_sha256=plan.run.dataset_sha256,
            prompt_sha256=plan.prompt.sha256,
            temperature=options.temperature,
            samples=options.samples,
            reference=plan.reference,
            arms=tuple((arm, score_arm(plan.rules, answers[arm], measures[arm])) for arm in plan.arms),
            recovered=recovered.interval,
            recovered_note=recovered.note,
            ceiling=ceiling(answers[plan.reference]),
            verdict=verdict(recovered.interval, len(plan.questions)),
            questions=len(plan.questions),
            evaluate_s=seconds,
            peak_rss_mb=peak_rss_mb(),
            split=options.split,
            ratio=ratio_of_answers(plan.questions, answers, plan.reference, options.seed),
            comparisons=comparisons,
            more_questions=more_questions(recovered.interval, gain, len(plan.questions)),
            answers_key=plan.key,
            extra_keys=tuple((extra.name, plan.key_of(extra.name)) for extra in plan.extras),
        )
    )
    context.project.settings.add_timing("evaluate", seconds)


def _pairs(plan: Plan) -> list[tuple[ArmName, ArmName]]:
    """Which arms are held against which: every other one against the reference, the student also against the
    base, and the extra ones also against the student.
    """
    against = [(arm, plan.reference) for arm in plan.arms if arm != plan.reference]
    return [*against, ("distilled", "unprompted"), *((extra.name, "distilled") for extra in plan.extras)]


def peak_rss_mb() -> float:
    """The most memory that this process ever held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


class _Evaluation:
    """One evaluation under way."""

    def __init__(self, context: JobContext, options: EvaluateOptions, plan: Plan) -> None:
        self._context, self._options, self._plan = context, options, plan
        passes = 1 + len(plan.extras)  # over the prompted answers, for divergence
        self._recorder = Recorder(context, plan, len(plan.arms) * len(plan.tasks) + passes * len(plan.questions))

    def stored_answers(self) -> dict[ArmName, list[ArmAnswer]]:
        """What is stored of this evaluation, by arm; only of the questions that were asked for now."""
        asked = {question.id for question in self._plan.questions}
        stored: dict[ArmName, list[ArmAnswer]] = {arm: [] for arm in self._plan.arms}
        for key in dict.fromkeys(map(self._plan.key_of, self._plan.arms)):
            for answer in self._context.project.evaluations.answers(key):
                if answer.question_id in asked and answer.arm in stored and self._plan.key_of(answer.arm) == key:
                    stored[answer.arm].append(answer)
        return stored

    def measure(self) -> dict[ArmName, ArmMeasures]:
        """Let every arm answer what it has not answered yet, then measure what is not in the answers."""
        from engine.model.load import device_name

        speeds: dict[ArmName, Speed] = {}
        teacher = self._options.teacher
        if teacher is not None and teacher.kind == "endpoint":
            speeds["teacher"] = self._endpoint(teacher)
        with self._context.hold_device(device_name(self._plan.run.config.device)):
            if teacher is not None and teacher.kind == "local":
                speeds["teacher"] = self._local_teacher(teacher)
            divergences = self._local_arms(speeds)
        return {arm: ArmMeasures(divergences.get(arm), *speeds[arm]) for arm in self._plan.arms}

    def _endpoint(self, teacher: TeacherSpec) -> Speed:
        arm = EndpointArm(teacher, self._plan.prompt, self._context.project.home)
        self._answer("teacher", arm.answer)
        return arm.speed()

    def _local_teacher(self, teacher: TeacherSpec) -> Speed:
        """Another model than the base: loaded first and let go, so that the two are never in memory together."""
        from engine.evaluation.arms import LocalArm
        from engine.model.load import load_base
        from engine.model.locate import locate_base

        local = load_base(locate_base(teacher.model, self._context.project.home), device=self._plan.run.config.device)
        arm = LocalArm("teacher", local, self._plan.prompt, adapter=False, single_turn=self._plan.single_turn)
        self._answer("teacher", arm.answer)
        return arm.speed(self._plan.questions, self._options)

    def _local_arms(self, speeds: dict[ArmName, Speed]) -> dict[ArmName, Divergence | None]:
        from engine.evaluation.arms import LocalArm
        from engine.model.load import load_base, parameter_shapes, with_adapter
        from engine.model.locate import locate_base
        from engine.model.other_adapter import other_adapter

        plan, config = self._plan, self._plan.run.config
        base = load_base(
            locate_base(config.base, self._context.project.home),
            device=config.device,
            dtype=config.dtype,
            quantize=config.quantize_base,
        )
        shapes = parameter_shapes(base)
        local = with_adapter(base, plan.adapter)
        unprompted = LocalArm("unprompted", local, None, adapter=False)
        prompted = LocalArm("prompted", local, plan.prompt, adapter=False, single_turn=plan.single_turn)
        distilled = LocalArm("distilled", local, None, adapter=True)
        for arm in (unprompted, prompted, distilled):
            self._answer(arm.name, arm.answer)
        divergences = self._divergences(local, prompted, (unprompted, distilled))
        for arm in (unprompted, prompted, distilled):
            self._context.checkpoint()
            speeds[arm.name] = arm.speed(plan.questions, self._options)
        for extra in plan.extras:
            with other_adapter(local, extra.adapter, shapes) if extra.adapter is not None else nullcontext():
                seen = plan.prompt if extra.prompted else None
                arm = LocalArm(extra.name, local, seen, adapter=True, single_turn=plan.single_turn)
                self._answer(arm.name, arm.answer)
                divergences |= self._divergences(local, prompted, (arm,))
                self._context.checkpoint()
                speeds[arm.name] = arm.speed(plan.questions, self._options)
        return divergences

    def _divergences(
        self, local: "LocalModel", prompted: "LocalArm", arms: "Sequence[LocalArm]"
    ) -> dict[ArmName, Divergence | None]:
        from engine.evaluation.divergence import kl_to_prompted

        done = 0

        def on_rows(total: int) -> None:
            nonlocal done
            self._recorder.advance(total - done, "divergence")
            done = total
            self._context.checkpoint()

        return kl_to_prompted(
            local,
            prompted,
            arms,
            self._plan.questions,
            self.stored_answers(),
            seed=self._options.seed,
            on_rows=on_rows,
        )

    def _answer(self, arm: ArmName, answer: Callable[[Sequence[Task], EvaluateOptions, Recorder], None]) -> None:
        have = {(stored.question_id, stored.sample) for stored in self.stored_answers()[arm]}
        missing = [task for task in self._plan.tasks if (task.question.id, task.sample) not in have]
        self._recorder.skip(len(self._plan.tasks) - len(missing))
        try:
            if missing:
                answer(missing, self._options, self._recorder)
        finally:
            self._recorder.store()
        self._context.checkpoint()
