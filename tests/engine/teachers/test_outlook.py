"""The outlook: what a generation will take, shown before anything is paid for, with the source of each figure."""

from dataclasses import replace

import pytest

from engine.errors import UsageError
from engine.paths import Home
from engine.project import Project
from engine.records.cost import EndpointPrices
from engine.records.example import Example, ExampleKey, Usage
from engine.records.options import GenerateOptions, SynthesizeOptions, TeacherSpec
from engine.records.question import SPLITS
from engine.teachers import keys
from engine.teachers.job import questions_of
from engine.teachers.outlook import generation_outlook, synthesis_outlook

OPENAI = TeacherSpec("endpoint", "gpt-4o-mini", "https://api.openai.com/v1")
LOCAL = GenerateOptions(TeacherSpec("local", "starter"))


def store_answer(project: Project, question_id: int, teacher: str, tokens: int) -> None:
    prompt = project.prompts.current()
    assert prompt is not None
    key = ExampleKey(prompt.prompt.sha256, question_id, teacher, 0)
    usage = Usage(prompt_tokens=20, completion_tokens=tokens)
    project.examples.add([Example(key, "Bye.", "stop", "local", usage=usage)])


@pytest.fixture(autouse=True)
def without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", keys.variable_of(OPENAI.base_url)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(keys, "_from_keyring", lambda base_url: None)


def test_stored_answers_are_not_counted_again(project: Project) -> None:
    before = generation_outlook(project, LOCAL)
    assert (before.questions, before.answers, before.left) == (10, 10, 10)
    for question_id in (1, 2, 11):
        store_answer(project, question_id, "starter", 30)
    after = generation_outlook(project, LOCAL)
    assert (after.answers, after.stored) == (10, 2)
    assert after.prompt_tokens == pytest.approx(before.prompt_tokens * 0.8, abs=2)
    assert (after.answer_tokens.value, after.answer_tokens.origin) == (30.0, "measured")
    assert before.answer_tokens.origin == "assumed"


def test_limit_and_samples_count_as_the_job_would_ask(project: Project) -> None:
    options = GenerateOptions(LOCAL.teacher, samples=3, limit=4)
    selected = {question.id for question in questions_of(project, options)}
    for question_id in (min(selected), min({*range(1, 12)} - selected)):
        store_answer(project, question_id, "starter", 30)
    outlook = generation_outlook(project, options)
    assert (outlook.answers, outlook.stored) == (12, 1)
    outlook = generation_outlook(project, replace(options, splits=("validation", "train"), samples=1))
    assert (outlook.answers, outlook.stored) == (4, 1)
    outlook = generation_outlook(project, GenerateOptions(LOCAL.teacher, splits=SPLITS))
    assert (outlook.questions, outlook.unsplit) == (12, 0)


def test_cost_follows_list_or_given_prices_and_is_zero_on_this_machine(project: Project) -> None:
    money = generation_outlook(project, GenerateOptions(OPENAI, max_answer_tokens=1_000)).money
    assert money.usd is not None
    assert money.most_usd is not None
    assert 0 < money.usd < money.most_usd
    assert "genai-prices" in money.source
    assert generation_outlook(project, LOCAL).money.usd == 0.0
    loopback = TeacherSpec("endpoint", "gpt-4o-mini", "http://127.0.0.1:8000/v1")
    assert generation_outlook(project, GenerateOptions(loopback)).money.usd == 0.0
    unpriced = TeacherSpec("endpoint", "peer", "https://peer.example/v1")
    assert generation_outlook(project, GenerateOptions(unpriced)).money.usd is None
    prices = [EndpointPrices(spec.model, spec.base_url, 0.0, 0.0, 1e6) for spec in (loopback, unpriced)]
    project.settings.write(replace(project.settings.read(), prices=tuple(prices)))
    for spec in (loopback, unpriced):
        given = generation_outlook(project, GenerateOptions(spec, max_answer_tokens=1_000)).money
        assert (given.most_usd, given.source) == (10 * 1_000, "the project's settings")


def test_time_follows_the_last_job_with_this_teacher(project: Project) -> None:
    assert generation_outlook(project, LOCAL).seconds is None
    job = project.jobs.add(LOCAL)
    for question_id in (1, 2, 3):
        store_answer(project, question_id, "starter", 30)
    project.jobs.write_work(job.id, "examples", 30.0, 3)
    assert generation_outlook(project, LOCAL).seconds is None, "it has not ended"
    # Killed, and marked lost days later: those days do not count as work.
    project.jobs.update(job.id, state="lost", started_at=job.created_at, ended_at="2999-01-01T00:00:00.000+00:00")
    outlook = generation_outlook(project, LOCAL)
    assert outlook.seconds == pytest.approx(70.0)
    assert outlook.pace == f"job {job.id}"
    assert generation_outlook(project, GenerateOptions(OPENAI)).seconds is None


def test_time_does_not_follow_a_job_that_only_waited_while_another_answered(project: Project) -> None:
    asked, waited = project.jobs.add(LOCAL), project.jobs.add(LOCAL)
    for question_id in (1, 2, 3):
        store_answer(project, question_id, "starter", 30)
    project.jobs.write_work(asked.id, "examples", 30.0, 3)
    project.jobs.write_work(waited.id, "examples", 0.1, 0)
    project.jobs.update(asked.id, state="done", ended_at="2999-01-01T00:00:00.000+00:00")
    project.jobs.update(waited.id, state="stopped", ended_at="2999-01-01T00:00:00.000+00:00")
    outlook = generation_outlook(project, LOCAL)
    assert outlook.seconds == pytest.approx(70.0)
    assert outlook.pace == f"job {asked.id}"


def test_source_of_the_key_is_shown_but_not_the_key(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    options = GenerateOptions(OPENAI)
    missing = generation_outlook(project, options).key
    assert missing is not None
    assert (missing.place, missing.variable) == (None, "DISTILL_TUI_API_KEY_API_OPENAI_COM")
    file = keys.save_key(OPENAI.base_url, "sk-canary-1234567890", project.home)
    assert str(generation_outlook(project, options).key).count(str(file)) == 1
    monkeypatch.setattr(keys, "_from_keyring", lambda base_url: "sk-canary-1234567890")
    assert "the keyring" in str(generation_outlook(project, options).key)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-1234567890")
    outlook = generation_outlook(project, options)
    assert outlook.key is not None
    assert outlook.key.place == "OPENAI_API_KEY"
    assert "sk-canary" not in repr(outlook)
    assert generation_outlook(project, LOCAL).key is None


@pytest.mark.parametrize("address", ["https://h:99999/v1", "https://[h/v1"])
def test_outlook_with_an_address_that_cannot_be_read_is_refused(project: Project, address: str) -> None:
    teacher = TeacherSpec("endpoint", "peer", address)
    with pytest.raises(UsageError, match="cannot be read"):
        generation_outlook(project, GenerateOptions(teacher))
    with pytest.raises(UsageError, match="cannot be read"):
        synthesis_outlook(project, SynthesizeOptions(teacher))


def test_synthesis_takes_one_request_for_the_topics_and_one_for_each_topic(project: Project) -> None:
    outlook = synthesis_outlook(project, SynthesizeOptions(OPENAI, topics=4, per_topic=5))
    assert (outlook.requests, outlook.questions) == (5, 20)
    assert outlook.money.usd is not None
    assert outlook.money.usd > 0
    assert outlook.answer_tokens > outlook.questions


def test_outlook_without_a_prompt_is_refused() -> None:
    with Project.create(Home.locate().projects / "bare") as bare, pytest.raises(UsageError, match="no prompt"):
        generation_outlook(bare, LOCAL)
