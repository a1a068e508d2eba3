"""What a generation will take is told before anything is paid for, with where each figure is from."""

from dataclasses import replace

import pytest

from engine.errors import UsageError
from engine.paths import Home
from engine.project import Project
from engine.records.example import Example, ExampleKey, Usage
from engine.records.options import GenerateOptions, SynthesizeOptions, TeacherSpec
from engine.records.question import SPLITS
from engine.teachers import keys
from engine.teachers.job import questions_of
from engine.teachers.outlook import generation_outlook, synthesis_outlook

OPENAI = TeacherSpec("endpoint", "gpt-4o-mini", "https://api.openai.com/v1")
LOCAL = GenerateOptions(TeacherSpec("local", "starter"))


def answer(project: Project, question_id: int, teacher: str, tokens: int, at: str = "") -> None:
    prompt = project.prompts.current()
    assert prompt is not None
    key = ExampleKey(prompt.prompt.sha256, question_id, teacher, 0)
    usage = Usage(prompt_tokens=20, completion_tokens=tokens)
    project.examples.add([Example(key, "Bye.", "stop", "local", usage=usage, created_at=at)])


@pytest.fixture(autouse=True)
def without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", keys.variable_of(OPENAI.base_url)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(keys, "_from_keyring", lambda base_url: None)


def test_what_is_stored_is_not_asked_again(project: Project) -> None:
    fresh = generation_outlook(project, LOCAL)
    assert (fresh.questions, fresh.answers, fresh.left) == (10, 10, 10)
    for question_id in (1, 2, 11):
        answer(project, question_id, "starter", 30)
    after = generation_outlook(project, LOCAL)
    assert (after.answers, after.stored) == (10, 2)
    assert after.prompt_tokens == pytest.approx(fresh.prompt_tokens * 0.8, abs=2)
    assert (after.answer_tokens.value, after.answer_tokens.origin) == (30.0, "measured")
    assert fresh.answer_tokens.origin == "assumed"


def test_a_limit_and_samples_count_as_they_will_be_asked(project: Project) -> None:
    wanted = GenerateOptions(LOCAL.teacher, samples=3, limit=4)
    asked = {question.id for question in questions_of(project, wanted)}
    for question_id in (min(asked), min({*range(1, 12)} - asked)):
        answer(project, question_id, "starter", 30)
    assert (generation_outlook(project, wanted).answers, generation_outlook(project, wanted).stored) == (12, 1)
    backwards = replace(wanted, splits=("validation", "train"), samples=1)
    assert (generation_outlook(project, backwards).answers, generation_outlook(project, backwards).stored) == (4, 1)
    every = GenerateOptions(LOCAL.teacher, splits=SPLITS)
    assert (generation_outlook(project, every).questions, generation_outlook(project, every).unsplit) == (12, 0)


def test_money_is_at_list_prices_and_nothing_is_paid_on_this_machine(project: Project) -> None:
    money = generation_outlook(project, GenerateOptions(OPENAI, max_answer_tokens=1_000)).money
    assert money.usd is not None
    assert money.most_usd is not None
    assert 0 < money.usd < money.most_usd
    assert "genai-prices" in money.source
    assert generation_outlook(project, LOCAL).money.usd == 0.0
    loopback = TeacherSpec("endpoint", "gpt-4o-mini", "http://127.0.0.1:8000/v1")
    assert generation_outlook(project, GenerateOptions(loopback)).money.usd == 0.0
    stranger = TeacherSpec("endpoint", "peer", "https://peer.example/v1")
    assert generation_outlook(project, GenerateOptions(stranger)).money.usd is None


def test_time_is_the_pace_of_the_last_job_that_asked_this_teacher(project: Project) -> None:
    assert generation_outlook(project, LOCAL).seconds is None
    job = project.jobs.add(LOCAL)
    for question_id in (1, 2, 3):
        answer(project, question_id, "starter", 30, job.created_at)
    # Killed, and found so days later: that it took days is no pace.
    project.jobs.update(job.id, state="lost", started_at=job.created_at, ended_at="2999-01-01T00:00:00.000+00:00")
    assert generation_outlook(project, LOCAL).seconds is None
    done = {"state": "done", "started_at": "2999-01-01T00:00:00.000+00:00"}
    project.jobs.update(job.id, **done, ended_at="2999-01-01T00:00:09.000+00:00")
    assert generation_outlook(project, LOCAL).seconds == pytest.approx(21.0), "as it was told before work was counted"
    project.jobs.keep_work(job.id, "examples", 30.0, 0)
    told = generation_outlook(project, LOCAL)
    assert (told.seconds, told.pace) == (pytest.approx(70.0), f"job {job.id}")
    assert generation_outlook(project, GenerateOptions(OPENAI)).seconds is None


def test_where_the_key_is_from_is_told_and_the_key_is_not(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = GenerateOptions(OPENAI)
    missing = generation_outlook(project, wanted).key
    assert missing is not None
    assert (missing.place, missing.variable) == (None, "DISTILL_TUI_API_KEY_API_OPENAI_COM")
    file = keys.save_key(OPENAI.base_url, "sk-canary-1234567890", project.home)
    assert str(generation_outlook(project, wanted).key).count(str(file)) == 1
    monkeypatch.setattr(keys, "_from_keyring", lambda base_url: "sk-canary-1234567890")
    assert "the keyring" in str(generation_outlook(project, wanted).key)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-1234567890")
    told = generation_outlook(project, wanted)
    assert told.key is not None
    assert told.key.place == "OPENAI_API_KEY"
    assert "sk-canary" not in repr(told)
    assert generation_outlook(project, LOCAL).key is None


def test_a_synthesis_is_one_request_for_topics_and_one_for_each(project: Project) -> None:
    told = synthesis_outlook(project, SynthesizeOptions(OPENAI, topics=4, per_topic=5))
    assert (told.requests, told.questions) == (5, 20)
    assert told.money.usd is not None
    assert told.money.usd > 0
    assert told.answer_tokens > told.questions


def test_without_a_prompt_nothing_can_be_told() -> None:
    with Project.create(Home.locate().projects / "bare") as bare, pytest.raises(UsageError, match="no prompt"):
        generation_outlook(bare, LOCAL)
