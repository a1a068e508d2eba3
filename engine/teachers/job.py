"""The generate stage as a job: determines what is left to ask, and has the teacher answer it.

A generation is idempotent: started again with the same options, it asks only for what is not stored. It waits for any
running generation that may ask for the same answers.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from engine.economics.stored_outcome import refresh_outcome
from engine.errors import TeacherError, UsageError
from engine.jobs.context import JobContext
from engine.jobs.protocol import Note, PromptRead
from engine.project import Project
from engine.records.example import CuratedExample, ExampleKey
from engine.records.options import GenerateOptions
from engine.records.prompt import Prompt
from engine.records.question import Question
from engine.records.rule import Rule, passes_all
from engine.rules.checks import check_answer
from engine.store.jobs import options_of_job
from engine.teachers.budget import Budget
from engine.teachers.choice import chosen_ids
from engine.teachers.fault_kinds import counted_faults
from engine.teachers.keys import key_for
from engine.teachers.plan import Ask, Plan, may_overlap
from engine.teachers.recorder import Recorder
from engine.wording import counted


def run(context: JobContext, options: GenerateOptions) -> None:
    """Answer the questions of the chosen splits, or those requested by id.

    Raises `UsageError` without a prompt or questions, `EndpointError` if the endpoint answers none, `ModelError` for
    the local model, `BudgetError` if a budget cannot be enforced, `JobStopped`.
    """
    with context.take_turn("answers", "asks for the same answers", _meets(context, options)):
        _generate(context, options)


def _generate(context: JobContext, options: GenerateOptions) -> None:
    project = context.project
    prompt, questions = project.prompts.require(), questions_of(project, options)
    context.emit(PromptRead(prompt.sha256))
    rules = project.rules.all()
    answers = [
        curated
        for curated in project.examples.all(prompt.sha256)
        if curated.example.key.teacher == options.teacher.name
    ]
    by_id = {question.id: question for question in questions}
    stored = _stored(answers, rules, by_id)
    asks = [Ask(by_id[question_id], attempt) for question_id, attempt in options.asks if question_id in by_id]
    plan = Plan(questions, options.samples, stored, stop_when_accepted=options.stop_when_accepted, asks=asks)
    spent_usd = context.work.cost_usd  # not the stored answers' cost: other jobs made some, others have been removed
    recorder = Recorder(context, plan, rules, options.max_cost_usd, spent_usd)
    recorder.progress("preparing")
    if options.teacher.kind == "endpoint":
        _ask_endpoint(context, options, prompt, plan, recorder, spent_usd, has_answered=bool(answers))
    elif not plan.exhausted:
        _ask_local(context, options, prompt, plan, recorder)
    recorder.progress()
    if recorder.failures:
        failed = counted(recorder.failures.total(), "question")
        words = f"{failed} could not be answered ({counted_faults(recorder.failures)})."
        if not recorder.stored and not stored:
            raise TeacherError("No question was answered.", f"{words} The first: {recorder.first_failure}")
        # No hint if questions were requested by id: a plain `generate` would ask all questions, not just those.
        context.emit(Note(words if options.asks else f"{words} Generate again to retry them."))
    if recorder.stored or context.work.answers:
        context.write_timing("generate")
        refresh_outcome(project)


def _meets(context: JobContext, options: GenerateOptions) -> Callable[[int], bool]:
    """Return a test of whether a job (by id) may ask for the same answers; a job of several stages always may."""

    @cache
    def meets(job_id: int) -> bool:
        theirs = options_of_job(context.project.jobs.get(job_id))
        return not isinstance(theirs, GenerateOptions) or may_overlap(options, theirs)

    return meets


def _ask_endpoint(
    context: JobContext,
    options: GenerateOptions,
    prompt: Prompt,
    plan: Plan,
    recorder: Recorder,
    spent_usd: float,
    *,
    has_answered: bool,
) -> None:
    from engine.teachers.generation import EndpointGeneration  # the client library takes a second to import

    key = key_for(options.teacher.base_url, context.project.home)
    given = context.project.settings.read().prices
    budget = Budget.of(options.teacher, given, options.max_cost_usd, spent_usd)
    keys = [ExampleKey(prompt.sha256, ask.question.id, options.teacher.name, ask.attempt) for ask in plan.waiting]
    left_over = context.project.examples.in_flight(keys)
    if left_over:
        lost = counted(left_over, "answer")
        context.emit(Note(f"In flight when a generation was killed: {lost}. At most these are paid for twice."))
    generation = EndpointGeneration(context, options, prompt, plan, recorder, budget, key, has_answered=has_answered)
    asyncio.run(generation.run())


def _ask_local(context: JobContext, options: GenerateOptions, prompt: Prompt, plan: Plan, recorder: Recorder) -> None:
    from engine.model.load import device_name, load_base
    from engine.model.locate import locate_base
    from engine.model.memory import releasing
    from engine.teachers.local import LocalGeneration

    folder = locate_base(
        options.teacher.model,
        context.project.home,
        lambda done, total, words: recorder.progress(f"{words} {done}/{total}".strip()),
    )

    def generate() -> None:
        recorder.progress("loading the model")
        local = load_base(folder)
        for note in local.format.notes:
            context.emit(Note(note))
        LocalGeneration(context, options, prompt, plan, recorder, local).run()

    with context.hold_device(device_name("auto")), releasing():
        generate()


def questions_of(project: Project, options: GenerateOptions) -> tuple[Question, ...]:
    """Return the questions that a generation covers. Raises `UsageError` if there are none."""
    if options.asks:
        wanted = {question_id for question_id, _ in options.asks}
        named = tuple(question for question in project.questions.all() if question.id in wanted)
        if not named:
            raise UsageError(
                "The questions no longer exist.", "All requested questions were removed.", "Choose other questions."
            )
        return named
    chosen = chosen_ids(project, options)
    if not chosen:
        title, every = "There are no questions to answer.", project.questions.all()
        if not every:
            raise UsageError(title, "The project has none.", "Run: distill-tui questions import FILE")
        if unsplit := sum(question.split is None for question in every):
            raise UsageError(
                title, f"Without a split: {counted(unsplit, 'question')}.", "Run: distill-tui questions split"
            )
        message = f"None is in {' or '.join(options.splits)}; other splits have {counted(len(every), 'question')}."
        raise UsageError(title, message, "Name another split, or import more: distill-tui questions import FILE")
    splits = dict.fromkeys(options.splits)
    return tuple(question for split in splits for question in project.questions.all(split) if question.id in chosen)


def _stored(
    answers: Sequence[CuratedExample], rules: tuple[Rule, ...], questions: Mapping[int, Question]
) -> dict[tuple[int, int], bool]:
    """Return (question id, attempt) → whether the stored answer of this teacher is acceptable."""
    return {
        (key.question_id, key.attempt): _will_do(curated, rules, questions[key.question_id])
        for curated in answers
        if (key := curated.example.key).question_id in questions
    }


def _will_do(curated: CuratedExample, rules: tuple[Rule, ...], question: Question) -> bool:
    """Whether a person accepted it, or, without a person's decision, it finished and passes the current rules."""
    if curated.by_person:
        return curated.accepted
    example = curated.example
    return example.finish_reason == "stop" and passes_all(check_answer(rules, example.answer, question))
