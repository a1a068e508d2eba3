"""The evaluation, as a job: every arm answers the held-out questions, then divergence and speed are measured.

Answers are stored as they finish, under a key that identifies this evaluation: one that was killed resumes where it
stopped. Answers that another evaluation got from exactly the same model with the same sampling are reused and checked
against the rules of this one. Divergence and speed take a small part of the time and are measured again.

If a question is removed during the evaluation, its answers are removed too, and the evaluation continues without it in
every arm. Only a divergence that was measured before still includes it.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.economics.stored_outcome import refresh_outcome
from engine.evaluation.comparison import compare
from engine.evaluation.extra_arms import ExtraArm, memory_groups
from engine.evaluation.judging import Judging
from engine.evaluation.outlook import count_units
from engine.evaluation.pairwise_judging import PairwiseJudging
from engine.evaluation.plan import Plan, Task, make_plan
from engine.evaluation.probing import FROM_BASE, Probing
from engine.evaluation.recorder import Recorder
from engine.evaluation.scores import ArmMeasures, ceiling, ratio_of_answers, recovered_of_answers, score_arm
from engine.evaluation.teacher_arm import EndpointArm
from engine.evaluation.verdict import more_questions, removed_text, verdict
from engine.jobs.context import JobContext
from engine.jobs.protocol import Note
from engine.records.evaluation import ArmAnswer, ArmName, Divergence, Evaluation
from engine.records.judging import Judged
from engine.records.options import EvaluateOptions, TeacherSpec
from engine.records.preference import Preference
from engine.records.regressions import Regressions
from engine.teachers.ledger import Ledger, require_prices

if TYPE_CHECKING:
    from engine.evaluation.arms import LocalArm
    from engine.model.local_model import LocalModel

DIVERGENCE = "divergence"  # as shown in the progress
Speed = tuple[float | None, float | None]  # median ms to the first token, median tokens per second; None: not measured


def run(context: JobContext, options: EvaluateOptions) -> None:
    """Evaluate the run that `options` names, and store the evaluation in the project.

    `evaluate_s` is the time that the job took, over all its processes. Raises NotFoundError, DatasetError, ModelError,
    ContextError, EndpointError, BudgetError if one more answer could exceed the limit, and JobStopped when asked to
    stop.
    """
    from engine.training.memory import peak_rss_mb

    # For the judge too, who is asked last.
    require_prices(context.project, options.max_cost_usd, options.teacher, options.judge)
    evaluation = _Evaluation(context, options, make_plan(context.project, options))
    measures = evaluation.measure()
    judged = evaluation.judge()
    stored = evaluation.stored_answers()
    plan = evaluation.plan
    preference = evaluation.prefer(stored)
    answers = {arm: stored[arm] for arm in plan.arms}
    recovered = recovered_of_answers(plan.rules, plan.questions, answers, plan.reference, options.seed)
    comparisons = compare(plan.rules, plan.questions, answers, _pairs(plan), options.seed)
    gain = next(each.all_rules for each in comparisons if (each.arm, each.against) == ("unprompted", plan.reference))
    work = context.work
    made = Evaluation(
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
        ceiling=ceiling(plan.rules, answers[plan.reference]),
        verdict=verdict(recovered.interval, recovered.questions),
        questions=len(plan.questions),
        evaluate_s=work.seconds,
        peak_rss_mb=peak_rss_mb(),
        split=options.split,
        ratio=ratio_of_answers(plan.rules, plan.questions, answers, plan.reference, options.seed),
        comparisons=comparisons,
        more_questions=more_questions(recovered.interval, gain, recovered.questions),
        answers_key=plan.key,
        extra_keys=tuple((extra.name, plan.key_of(extra.name)) for extra in plan.extras),
        max_answer_tokens=options.max_answer_tokens,
        limit=options.limit,
        seed=options.seed,
        # Without the bound it would be negative if a rule changed during the evaluation.
        reused=max(0, len(plan.arms) * len(plan.tasks) - work.answers),
        regressions=evaluation.regressions,
        judged=judged,
        preference=preference,
        decided=recovered.questions,
        removed=evaluation.removed,
        asked=tuple(question.id for question in plan.questions),
        rules_sha256=plan.rules_sha256,
    )
    evaluation.end()
    with context.project.transaction():
        context.project.evaluations.add(made)
        context.project.settings.write_timing("evaluate", work.seconds)
    refresh_outcome(context.project)


def _pairs(plan: Plan) -> list[tuple[ArmName, ArmName]]:
    """Which arms are compared: every arm with the reference, the student also with the base, and the extra arms also
    with the student.
    """
    against = [(arm, plan.reference) for arm in plan.arms if arm != plan.reference]
    return [*against, ("distilled", "unprompted"), *((extra.name, "distilled") for extra in plan.extras)]


class _Evaluation:
    """One evaluation in progress."""

    def __init__(self, context: JobContext, options: EvaluateOptions, plan: Plan) -> None:
        self._context, self._options, self.plan = context, options, plan
        self._answered: list[ArmName] = []  # the arms that have answered every question
        # Over the prompted answers, for divergence: one per group, and one with the prompt in context.
        passes = len(memory_groups(plan.extras)) + any(extra.prompted for extra in plan.extras)
        rubrics = sum(rule.needs_judge for rule in plan.rules)
        units = count_units(options, len(plan.questions), arms=len(plan.arms), passes=passes, rubrics=rubrics)
        self._recorder = Recorder(context, plan, units.total)
        if options.regressions:  # counted now: the probes come last, and the progress would go back until then
            self._recorder.skip(Probing(context, plan, options, self._recorder).answered)
        self.regressions: Regressions | None = None
        self.removed: tuple[int, ...] = ()

    def stored_answers(self) -> dict[ArmName, list[ArmAnswer]]:
        """Return the stored answers of this evaluation by arm, only for the questions in the plan.

        Questions that no longer exist are removed from `plan`. Raises DatasetError if none is left.
        """
        with self._context.project.snapshot():
            stored = self._stored()
            there = set(self._context.project.questions.ids())
        gone = {question.id for question in self.plan.questions} - there
        for arm in self._answered:  # a question that was restored meanwhile has lost its answers
            have = {(answer.question_id, answer.sample) for answer in stored[arm]}
            gone |= {task.question.id for task in self.plan.tasks if (task.question.id, task.sample) not in have}
        if not gone:
            return stored
        self.removed = (*self.removed, *sorted(gone))
        self.plan = self.plan.without(gone)
        self._context.emit(Note(removed_text(len(gone))))
        return {arm: [one for one in found if one.question_id not in gone] for arm, found in stored.items()}

    def _stored(self) -> dict[ArmName, list[ArmAnswer]]:
        asked = {question.id for question in self.plan.questions}
        rules = {rule.id for rule in self.plan.rules}  # without rubrics if there is no judge
        stored: dict[ArmName, list[ArmAnswer]] = {arm: [] for arm in self.plan.arms}
        judge = "" if self._options.judge is None else self._options.judge.name
        for key in dict.fromkeys(map(self.plan.key_of, self.plan.arms)):
            for answer in self._context.project.evaluations.answers(key, judge):
                if answer.question_id in asked and answer.arm in stored and self.plan.key_of(answer.arm) == key:
                    checks = tuple(check for check in answer.checks if check.rule_id in rules)
                    stored[answer.arm].append(replace(answer, checks=checks))
        return stored

    def judge(self) -> Judged | None:
        """Let the judge decide on the answers; None without rubrics or without a judge."""
        judge = self._options.judge
        if judge is None or not any(rule.needs_judge for rule in self.plan.rules):
            return None
        answers = self.stored_answers()
        return Judging(self._context, self.plan, judge, self._recorder, self._options.max_cost_usd).judge(answers)

    def prefer(self, answers: Mapping[ArmName, Sequence[ArmAnswer]]) -> Preference | None:
        """Let the judge compare the student with the reference; None if not requested."""
        if self._options.judge is None or not self._options.preference:
            return None
        judge, limit = self._options.judge, self._options.max_cost_usd
        judging = PairwiseJudging(self._context, self.plan, judge, self._recorder, limit)
        return judging.prefer(answers, self._options.seed)

    def measure(self) -> dict[ArmName, ArmMeasures]:
        """Let every arm answer what it has not answered yet, then measure divergence and speed."""
        from engine.model.load import device_name
        from engine.model.memory import releasing

        speeds: dict[ArmName, Speed] = {}
        teacher = self._options.teacher
        if teacher is not None and teacher.kind == "endpoint":
            with self._context.take_turn("teacher", "is asking the teacher"):
                speeds["teacher"] = self._endpoint(teacher)
        with self._context.hold_device(device_name(self.plan.run.config.device)), releasing():
            if teacher is not None and teacher.kind == "local":
                speeds["teacher"] = self._local_teacher(teacher)
            divergences = self._local_arms(speeds)
        return {arm: ArmMeasures(divergences.get(arm), *speeds[arm]) for arm in self.plan.arms}

    def _endpoint(self, teacher: TeacherSpec) -> Speed:
        """The speed is that of the answers; if all of them existed already, the speed measured with them is used."""
        project = self._context.project
        ledger = Ledger(project, teacher, self._context, self._options.max_cost_usd)
        arm = EndpointArm(teacher, self.plan.prompt, project.home, ledger)

        def answer(tasks: Sequence[Task], options: EvaluateOptions, recorder: Recorder) -> None:
            arm.answer(tasks, options, recorder, has_answered=len(tasks) < len(self.plan.tasks))

        self._answer("teacher", answer)
        first_ms, rate = arm.speed()
        if first_ms is None:
            before = project.evaluations.score_of(self.plan.sources["teacher"])
            return (None, None) if before is None else (before.ttft_ms_p50, before.tokens_per_second_p50)
        return first_ms, rate

    def _local_teacher(self, teacher: TeacherSpec) -> Speed:
        """Run a local teacher, which is not the base: loaded first and released, so that both are never in memory."""
        from engine.evaluation.arms import LocalArm
        from engine.model.load import load_base
        from engine.model.locate import locate_base

        local = load_base(locate_base(teacher.model, self._context.project.home), device=self.plan.run.config.device)
        arm = LocalArm("teacher", local, self.plan.prompt, adapter=False, single_turn=self.plan.single_turn)
        self._answer("teacher", arm.answer)
        return self._speed(arm)

    def _local_arms(self, speeds: dict[ArmName, Speed]) -> dict[ArmName, Divergence | None]:
        from engine.evaluation.arms import LocalArm
        from engine.model.load import load_base, parameter_shapes, with_adapter
        from engine.model.locate import locate_base
        from engine.model.other_adapter import other_adapter

        plan, config = self.plan, self.plan.run.config  # questions may be removed while the arms answer
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
        standard = (unprompted, prompted, distilled)
        divergences: dict[ArmName, Divergence | None] = {}
        for group in memory_groups(plan.extras):
            with ExitStack() as held:
                extras: dict[ExtraArm, LocalArm] = {}
                for extra in group:
                    other = held.enter_context(other_adapter(local, extra.adapter, shapes)) if extra.adapter else None
                    sees = plan.prompt if extra.prompted else None
                    extras[extra] = LocalArm(
                        extra.name, local, sees, adapter=True, other=other, single_turn=plan.single_turn
                    )
                arms = [*(() if divergences else standard), *extras.values()]
                for arm in arms:
                    self._answer(arm.name, arm.answer)
                behind = [arm for extra, arm in extras.items() if extra.prompted]
                free = [arm for arm in arms if arm is not prompted and arm not in behind]
                for alike in filter(None, (free, behind)):
                    divergences |= self._divergences(local, prompted, alike)
                for arm in arms:
                    speeds[arm.name] = self._speed(arm)
        if self._options.regressions:
            probing = Probing(self._context, self.plan, self._options, self._recorder)
            self.regressions = probing.measure(local, standard, self._counted(FROM_BASE))
        return divergences

    def _speed(self, arm: "LocalArm") -> Speed:
        note = f"speed of {arm.name}"
        self._context.checkpoint()
        self._recorder.begin(note)
        return arm.speed(self.plan.questions, self._options, self._counted(note))

    def _divergences(
        self, local: "LocalModel", prompted: "LocalArm", arms: "Sequence[LocalArm]"
    ) -> dict[ArmName, Divergence | None]:
        from engine.evaluation.divergence import kl_to_prompted

        answers = self.stored_answers()
        self._recorder.begin(DIVERGENCE)
        return kl_to_prompted(
            local,
            prompted,
            arms,
            self.plan.questions,
            answers,
            seed=self._options.seed,
            on_rows=self._counted(DIVERGENCE),
        )

    def end(self) -> None:
        """Finish: nothing is left to do, including what was removed before it was done."""
        self._recorder.end()

    def _counted(self, note: str) -> Callable[[int], None]:
        """Return a callback for the number of finished rows of a pass; the job can pause or stop between rows."""
        done = 0

        def on_rows(total: int) -> None:
            nonlocal done
            self._recorder.advance(total - done, note)
            done = total
            self._context.checkpoint()

        return on_rows

    def _answer(self, arm: ArmName, answer: Callable[[Sequence[Task], EvaluateOptions, Recorder], None]) -> None:
        found = self._found(arm)
        if self._reuse(arm, self._missing(found)):
            found = self._found(arm)
        self._recorder.found(arm, found)
        try:
            if missing := self._missing(found):
                answer(missing, self._options, self._recorder)
        finally:
            self._recorder.store()
        self._context.checkpoint()
        self._answered.append(arm)

    def _found(self, arm: ArmName) -> list[ArmAnswer]:
        """The stored answers of this arm, without refusals.

        Refused questions are asked again: they may be answered now, and older versions stored outages as refusals.
        """
        return [answer for answer in self.stored_answers()[arm] if answer.finish_reason != "error"]

    def _missing(self, found: Sequence[ArmAnswer]) -> list[Task]:
        have = {(answer.question_id, answer.sample) for answer in found}
        return [task for task in self.plan.tasks if (task.question.id, task.sample) not in have]

    def _reuse(self, arm: ArmName, missing: Sequence[Task]) -> bool:
        """Store answers that another evaluation got from the same model in the same way; return whether any."""
        source = self._context.project.evaluations.answers_from(self.plan.sources[arm])
        known = {(answer.question_id, answer.sample): answer for answer in source}
        places = [(task, known[key]) for task in missing if (key := (task.question.id, task.sample)) in known]
        if places:
            self._recorder.reuse(arm, places)
        return bool(places)
