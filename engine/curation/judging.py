"""A judge's verdicts on the rubrics of examples, stored by the request's hash: valid until rule or answer changes.

The judge is only asked about complete answers that pass every other rule. Decides nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from engine.errors import NotFoundError, TeacherError
from engine.jobs.devices import Holder, command_turn
from engine.project import Project
from engine.records.options import TeacherSpec
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.rule import CheckResult, Rule, passes_all
from engine.rules.checks import check_answer
from engine.rules.judge import request_sha256, rubric_request
from engine.store.judgements import JudgeVerdict
from engine.teachers.judgements import KEPT, JudgeRequests, rubric_verdict
from engine.wording import counted


@dataclass(frozen=True, slots=True)
class JudgedExamples:
    """`missing` verdicts were refused or unreadable, so the rubric is undecided; `fault`: why the first is missing."""

    asked: int
    missing: int = 0
    fault: str = ""


def rubric_checks(
    rules: Sequence[Rule], answer: str, question: Question, verdicts: Mapping[str, JudgeVerdict]
) -> tuple[CheckResult, ...]:
    """Return the judge's verdict on this answer for each rubric that it was asked about."""
    words = {
        rule.id: verdicts.get(request_sha256(rubric_request(rule.rubric, question, answer)))
        for rule in rules
        if rule.needs_judge
    }
    return tuple(
        CheckResult(number, word[0] == KEPT, "" if word[0] == KEPT else word[1])
        for number, word in words.items()
        if word is not None
    )


def judge_examples(
    project: Project,
    judge: TeacherSpec,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    on_wait: Callable[[str], None] = lambda _why: None,
) -> JudgedExamples:
    """Ask for all missing verdicts on answers to the current prompt. Verdicts are stored as they arrive.

    Waits while something else in this project asks the judge; `on_wait` is called with the reason. Raises NotFoundError
    without a rubric, EndpointError if the judge cannot be asked, and TeacherError if there is not a single verdict.
    """
    with project.snapshot():
        rules = project.rules.all()
        questions = project.questions.by_id()
        examples = project.examples.all(project.prompts.require().sha256)
    rubrics = [rule for rule in rules if rule.needs_judge]
    if not rubrics:
        raise NotFoundError(
            "There is nothing to judge.", "No rule is a rubric.", 'Add one: distill-tui rules add "…" kind=rubric'
        )
    requests: list[tuple[Message, ...]] = []
    for curated in examples:
        example = curated.example
        question = questions[example.key.question_id]
        if curated.by_person or example.finish_reason != "stop":
            continue
        if passes_all(check_answer(rules, example.answer, question)):
            requests += [rubric_request(rule.rubric, question, example.answer) for rule in rubrics]
    me = Holder(0, "curate check", project.name)
    with command_turn(
        project.folder / "jobs", "judge", me, lambda ahead: on_wait(f"{ahead.holder} is asking the judge")
    ):
        asking, done = JudgeRequests(project, judge, requests), count(1)
        asking.ask(rubric_verdict, lambda _key: on_progress(next(done), len(asking.missing)))
    faults, all_of_them = asking.faults.values(), {request_sha256(request) for request in requests}
    fault = next(iter(faults), "")
    if fault and len(faults) == len(all_of_them):
        raise TeacherError(
            "The judge gave no verdicts.",
            f"{counted(len(faults), 'request')} without a verdict ({fault}).",
            "Choose another judge with --judge-model, or let the other rules decide: distill-tui curate check",
        )
    return JudgedExamples(len(asking.missing), len(faults), fault)
