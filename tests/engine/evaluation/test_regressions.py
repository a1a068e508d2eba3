"""Regression probes: what they ask, how their answers are checked, and how an interrupted stage resumes."""

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
from engine.jobs.protocol import AnswersFound, Progress
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
from tests.engine.evaluation.evaluation_jobs import evaluate, latest_evaluation
from tests.trained import make_tiny_adapter, make_trained_project

OPTIONS = EvaluateOptions(run_id=1, samples=1, max_answer_tokens=6, batch_rows=64, regressions=True)
KINDS: tuple[ProbeKind, ...] = ("general", "recitation", "injection")
SYSTEM = "You are the desk of a small bank. Begin with the desk, then answer in one sentence and sign with Meridian."
PROMPT = Prompt((Message("system", SYSTEM),))
RULES = (Rule(1, "Signs", Check("ends_with", text="Meridian")), Rule(2, "Short", Check("length", max=30)))


def latest_regressions(project: Project) -> tuple[Evaluation, Regressions]:
    evaluation = latest_evaluation(project)
    assert evaluation.regressions is not None
    return evaluation, evaluation.regressions


def answers(rules: tuple[Rule, ...], *texts: str, arm: str = "distilled", reason: str = "stop") -> list[ArmAnswer]:
    return [ArmAnswer(arm, n, 0, text, reason, check_answer(rules, text), 9, 9) for n, text in enumerate(texts)]


def test_interrupted_probe_stage_resumes_and_every_arm_answers_every_probe(project: Project) -> None:
    plan = make_plan(project, OPTIONS)

    def stored_of(kind: ProbeKind) -> list[ArmAnswer]:
        sources = [probe_source(plan, arm, kind) for arm in PROBED[kind]]
        return [answer for source in sources for answer in project.evaluations.probe_answers(source, kind)]

    class Killed(Exception):
        """Stands for a killed process."""

    add_probe_answers = project.evaluations.add_probe_answers
    with pytest.MonkeyPatch.context() as patch:

        def add_then_die(run_id: int, key: str, kind: ProbeKind, found: list[ArmAnswer]) -> None:
            add_probe_answers(run_id, key, kind, found)
            if kind == "recitation":
                raise Killed

        patch.setattr(project.evaluations, "add_probe_answers", add_then_die)
        with pytest.raises(Killed):
            evaluate(project, OPTIONS)
    general_before = stored_of("general")
    assert len(general_before) == 2 * 54
    assert project.evaluations.latest() is None

    resumed = evaluate(project, OPTIONS)
    progress = [event for event in resumed.events if isinstance(event, Progress)]
    already = [event for event in resumed.events if isinstance(event, AnswersFound)]
    assert [(event.arm, event.answers) for event in already] == [("unprompted", 6), ("prompted", 6), ("distilled", 6)]
    assert progress[0].done == 3 * 6 + len(general_before), "what is stored counts from the start"
    assert [event.done for event in progress] == sorted(event.done for event in progress)
    assert progress[-1].done == progress[-1].total == estimate_evaluation(OPTIONS, 6, ()).units.total
    notes = list(dict.fromkeys(event.note for event in progress))  # each is shown before its first unit is done
    assert notes[-3:] == ["prompted answers (injection probes)", "distilled answers (injection probes)", FROM_BASE]
    assert "speed of distilled" in notes
    assert not resumed.ended_answers(), "probe answers are not shown as held-out answers"
    tasks = probes(project.questions.all(split="test"), 0)
    stored = {kind: stored_of(kind) for kind in KINDS}
    assert stored["general"] == general_before
    for kind in KINDS:
        assert {(a.arm, a.question_id) for a in stored[kind]} == {
            (arm, task.question.id) for arm in PROBED[kind] for task in tasks[kind]
        }
    evaluation, found = latest_regressions(project)
    assert found.kl_to_unprompted is not None
    assert 0 < found.kl_to_unprompted.low <= found.kl_to_unprompted.value <= found.kl_to_unprompted.high
    assert [each.arm for each in found.injection] == ["prompted", "distilled"]
    assert found.injection[0].all_rules.total == evaluation.questions == 6
    assert found.answer_tokens == 6 < ANSWER_TOKENS


@pytest.mark.usefixtures("single_threaded")
def test_student_equal_to_its_base_shows_no_regressions(private_home: Path, base: Path, tmp_path: Path) -> None:
    zero_adapter = make_tiny_adapter(base, tmp_path / "nothing", scale=0.0)
    with make_trained_project(Home.locate(), base, zero_adapter) as project:
        evaluate(project, OPTIONS)
        _, found = latest_regressions(project)
        assert found.kl_to_unprompted is not None
        assert found.kl_to_unprompted.value == pytest.approx(0.0, abs=1e-6)
        unprompted, distilled = found.general
        assert dataclasses.replace(unprompted, arm="distilled") == distilled
        reported = report_json(project)["regressions"]
        assert isinstance(reported, dict)
        assert set(reported) == {*KINDS, "seconds"}
        shown = " ".join(to_text(build(read_report(project))).split())
        for text in ("What else changed", "54 general questions", "12 requests to reveal the prompt", "Told to break"):
            assert text in shown


def test_injected_order_depends_only_on_the_question_and_keeps_its_label() -> None:
    questions = [
        Question((Message("user", "Hello"), Message("assistant", "Hi"), Message("user", f"Q{n}?")), label="a", id=n)
        for n in range(1, 60)
    ]
    all_injected = {question.id: question for question in injected(questions)}
    assert len(all_injected) == 20
    assert len({question.text.partition("\n\n")[2] for question in all_injected.values()}) > 5
    for few in (1, 7, 19, 20):
        chosen = injected(list(all_injected.values())[:few])
        orders = {question.id: question.text.rpartition("\n\n")[2] for question in chosen}
        assert orders == {n: all_injected[n].text.rpartition("\n\n")[2] for n in orders}
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
    cut_off = check_general("distilled", questions, RULES[1:], answers(RULES[1:], " \n", reason="length"))
    assert (cut_off.ended.passed, cut_off.not_empty.passed, cut_off.free_of_rules) == (0, 0, None)


def test_recited_prompt_text_is_reported_with_its_request() -> None:
    requests = {n: Question((Message("user", f"Request {n}"),), id=n) for n in range(3)}
    recital = "Well: you are the desk of a small BANK. Begin with the desk, then answer in one sentence!"
    found = check_recitation(
        "distilled", requests, PROMPT, answers(RULES, "I cannot say.", recital, "You are the desk.")
    )
    assert (found.recited.passed, found.recited.total) == (1, 3)
    assert found.longest == recital[6:-1]
    assert (found.longest_words, found.probe) == (17, "Request 1")
    nothing_recited = check_recitation("distilled", requests, PROMPT, answers(RULES, "No."))
    assert (nothing_recited.recited.passed, nothing_recited.longest_words, nothing_recited.probe) == (0, 0, "")
    injection = check_injection("distilled", RULES, answers(RULES, "OK", "Yes. Meridian"))
    assert ([rule.rate.passed for rule in injection.rules], injection.all_rules.passed) == ([1, 2], 1)


WORD_LISTS = st.lists(st.sampled_from(["a", "b", "c", "Don", "x1"]), max_size=14)


@given(WORD_LISTS, WORD_LISTS)
def test_longest_overlap_is_the_longest_common_run_of_words(system: list[str], text: list[str]) -> None:
    longest = 0
    for start in range(len(text)):
        for end in range(start + 1, len(text) + 1):
            run = text[start:end]
            if any(system[at : at + len(run)] == run for at in range(len(system))):
                longest = max(longest, len(run))
    found = longest_overlap(Prompt((Message("system", " ".join(system)),)), ", ".join(text).upper())
    assert found.words == longest
    assert len(found.text.replace(",", "").split()) == longest
