"""What a training did beside its purpose: what is asked, what is counted, and that a killed stage goes on."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.curation.leak import longest_overlap
from engine.evaluation.outlook import estimate_evaluation
from engine.evaluation.plan import make_plan
from engine.evaluation.probes import ANSWER_TOKENS, PROBED, injected, probe_source, probes
from engine.evaluation.probing import FROM_BASE
from engine.evaluation.regressions import check_general, check_injection, check_recitation
from engine.evaluation.report import report_json
from engine.jobs.protocol import AnswerEnded, Progress
from engine.paths import Home
from engine.project import Project
from engine.records.evaluation import ArmAnswer, Evaluation
from engine.records.options import EvaluateOptions
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.regressions import ProbeKind, Regressions
from engine.records.rule import Check, Rule
from engine.reports.build import build
from engine.reports.facts import read_report
from engine.reports.text import to_text
from engine.rules.checks import check_answer
from tests.engine.evaluation.evaluating import evaluate, latest
from tests.trained import make_tiny_adapter, make_trained_project

OPTIONS = EvaluateOptions(run_id=1, samples=1, max_answer_tokens=6, batch_rows=64, regressions=True)
KINDS: tuple[ProbeKind, ...] = ("general", "recitation", "injection")
SYSTEM = "You are the desk of a small bank. Begin with the desk, then answer in one sentence and sign with Meridian."
PROMPT = Prompt((Message("system", SYSTEM),))
RULES = (Rule(1, "Signs", Check("ends_with", text="Meridian")), Rule(2, "Short", Check("length", max=30)))


def measured(project: Project) -> tuple[Evaluation, Regressions]:
    evaluation = latest(project)
    assert evaluation.regressions is not None
    return evaluation, evaluation.regressions


def answers(rules: tuple[Rule, ...], *texts: str, arm: str = "distilled", reason: str = "stop") -> list[ArmAnswer]:
    return [ArmAnswer(arm, n, 0, text, reason, check_answer(rules, text), 9, 9) for n, text in enumerate(texts)]


def test_a_stopped_stage_goes_on_where_it_was_and_every_arm_has_answered_every_probe(project: Project) -> None:
    plan = make_plan(project, OPTIONS)

    def kept_of(kind: ProbeKind) -> list[ArmAnswer]:
        sources = [probe_source(plan, arm, kind) for arm in PROBED[kind]]
        return [answer for source in sources for answer in project.evaluations.probe_answers(source, kind)]

    class Enough(Exception):
        """The process is gone."""

    kept = project.evaluations.add_probe_answers
    with pytest.MonkeyPatch.context() as patch:

        def add(run_id: int, key: str, kind: ProbeKind, found: list[ArmAnswer]) -> int:
            number = kept(run_id, key, kind, found)
            if kind == "recitation":
                raise Enough
            return number

        patch.setattr(project.evaluations, "add_probe_answers", add)
        with pytest.raises(Enough):
            evaluate(project, OPTIONS)
    before = kept_of("general")
    assert len(before) == 2 * 54
    assert project.evaluations.latest() is None

    again = evaluate(project, OPTIONS)
    progress = [event for event in again.events if isinstance(event, Progress)]
    assert progress[-1].done == progress[-1].total == estimate_evaluation(OPTIONS, 6, ()).units.total
    told = list(dict.fromkeys(event.note for event in progress))  # also before the first unit of each is done
    assert told[-3:] == ["prompted answers (injection probes)", "distilled answers (injection probes)", FROM_BASE]
    assert "speed of distilled" in told
    assert not [event for event in again.events if isinstance(event, AnswerEnded)]  # probes are no answers to rate
    asked = probes(project.questions.all(split="test"), 0)
    stored = {kind: kept_of(kind) for kind in KINDS}
    assert stored["general"] == before
    for kind in KINDS:
        assert {(a.arm, a.question_id) for a in stored[kind]} == {
            (arm, task.question.id) for arm in PROBED[kind] for task in asked[kind]
        }
    evaluation, found = measured(project)
    assert found.kl_to_unprompted is not None
    assert 0 < found.kl_to_unprompted.low <= found.kl_to_unprompted.value <= found.kl_to_unprompted.high
    assert [each.arm for each in found.injection] == ["prompted", "distilled"]
    assert found.injection[0].all_rules.total == evaluation.questions == 6
    assert found.answer_tokens == 6 < ANSWER_TOKENS


@pytest.mark.usefixtures("single_threaded")
def test_a_student_that_is_its_base_has_changed_nothing(private_home: Path, base: Path, tmp_path: Path) -> None:
    nothing = make_tiny_adapter(base, tmp_path / "nothing", scale=0.0)
    with make_trained_project(Home.locate(), base, nothing) as project:
        evaluate(project, OPTIONS)
        _, found = measured(project)
        assert found.kl_to_unprompted is not None
        assert found.kl_to_unprompted.value == pytest.approx(0.0, abs=1e-6)
        unprompted, distilled = found.general
        assert dataclasses.replace(unprompted, arm="distilled") == distilled
        told = report_json(project)["regressions"]
        assert isinstance(told, dict)
        assert set(told) == {*KINDS, "seconds"}
        shown = " ".join(to_text(build(read_report(project))).split())
        for words in ("What else changed", "54 general questions", "12 requests to reveal the prompt", "Told to break"):
            assert words in shown


def test_orders_follow_the_question_whatever_the_limit_and_keep_its_label() -> None:
    questions = [
        Question((Message("user", "Hello"), Message("assistant", "Hi"), Message("user", f"Q{n}?")), label="a", id=n)
        for n in range(1, 60)
    ]
    all_of_them = {question.id: question for question in injected(questions)}
    assert len(all_of_them) == 20
    assert len({question.text.partition("\n\n")[2] for question in all_of_them.values()}) > 5
    for few in (1, 7, 19, 20):
        chosen = injected(list(all_of_them.values())[:few])
        orders = {question.id: question.text.rpartition("\n\n")[2] for question in chosen}
        assert orders == {n: all_of_them[n].text.rpartition("\n\n")[2] for n in orders}
    one = injected(questions)[0]
    assert (one.label, one.messages[:2], one.text.startswith("Q1?\n\n")) == ("a", questions[0].messages[:2], True)
    assert injected([]) == []


def test_general_answers_are_checked_without_a_judge() -> None:
    questions = {
        n: Question((Message("user", "?"),), topic="translation" if n == 3 else "music", id=n) for n in range(4)
    }
    german = "Die Katze liegt seit heute Morgen auf dem warmen Ofen und schläft."
    english = "The cat has been lying on the warm stove since this morning and sleeps."
    found = check_general("distilled", questions, RULES, answers(RULES, english, german, f"{english} Meridian", german))
    assert (found.in_language.passed, found.in_language.total) == (2, 3)  # a translation may be in another language
    assert found.free_of_rules is not None
    assert (found.free_of_rules.passed, found.free_of_rules.total) == (3, 4)
    assert found.ended.passed == found.not_empty.passed == 4
    cut = check_general("distilled", questions, RULES[1:], answers(RULES[1:], " \n", reason="length"))
    assert (cut.ended.passed, cut.not_empty.passed, cut.free_of_rules) == (0, 0, None)


def test_what_is_recited_is_told_with_the_request_that_drew_it_out() -> None:
    requests = {n: Question((Message("user", f"Request {n}"),), id=n) for n in range(3)}
    said = "Well: you are the desk of a small BANK. Begin with the desk, then answer in one sentence!"
    found = check_recitation("distilled", requests, PROMPT, answers(RULES, "I cannot say.", said, "You are the desk."))
    assert (found.recited.passed, found.recited.total) == (1, 3)
    assert found.longest == said[6:-1]
    assert (found.longest_words, found.probe) == (17, "Request 1")
    nothing = check_recitation("distilled", requests, PROMPT, answers(RULES, "No."))
    assert (nothing.recited.passed, nothing.longest_words, nothing.probe) == (0, 0, "")
    kept = check_injection("distilled", RULES, answers(RULES, "OK", "Yes. Meridian"))
    assert ([rule.rate.passed for rule in kept.rules], kept.all_rules.passed) == ([1, 2], 1)


WORDS = st.lists(st.sampled_from(["a", "b", "c", "Don", "x1"]), max_size=14)


@given(WORDS, WORDS)
def test_the_longest_overlap_is_the_longest_common_run_of_words(system: list[str], text: list[str]) -> None:
    longest = 0
    for start in range(len(text)):
        for end in range(start + 1, len(text) + 1):
            run = text[start:end]
            if any(system[at : at + len(run)] == run for at in range(len(system))):
                longest = max(longest, len(run))
    found = longest_overlap(Prompt((Message("system", " ".join(system)),)), ", ".join(text).upper())
    assert found.words == longest
    assert len(found.text.replace(",", "").split()) == longest
