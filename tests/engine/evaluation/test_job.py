"""Whole evaluations over a tiny random base: what is stored, what is resumed, and what must be equal."""

import asyncio
import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from engine.errors import DatasetError, EndpointError, JobStopped, ModelError, NotFoundError
from engine.evaluation.answers import Answered
from engine.evaluation.answers import answers_of as answers_of_evaluation
from engine.evaluation.job import run
from engine.evaluation.lapses import find_lapses
from engine.evaluation.plan import make_plan
from engine.evaluation.report import report_json
from engine.evaluation.statistics import rate_of_samples
from engine.jobs.protocol import AnswerEnded, AnswerStarted, Event, Note, Progress
from engine.model import score
from engine.model.decode import Batch
from engine.paths import Home
from engine.project import Project
from engine.records.evaluation import ArmAnswer, Evaluation
from engine.records.options import TeacherSpec
from engine.records.prompt import Message
from engine.records.question import Question
from engine.reports.build import build
from engine.reports.facts import read_report
from engine.reports.outputs import brief_text
from engine.reports.text import to_text
from engine.rules.checks import check_answer
from engine.seeds import answer_seed
from engine.teachers.endpoint import EndpointTeacher
from tests.engine.cli.shapes import REPORT, assert_shape
from tests.engine.evaluation.evaluating import ARMS, OPTIONS, Watched, another_waits, answers_of, evaluate, latest
from tests.engine.teachers.hostile_server import HostileServer, Request, good, served, status
from tests.trained import make_tiny_adapter, make_tiny_base, make_trained_project, one_thread

pytestmark = pytest.mark.usefixtures("single_threaded")


def test_every_arm_answers_every_question_and_the_figures_are_those_of_the_answers(project: Project) -> None:
    context = evaluate(project)
    evaluation, answers = latest(project), answers_of(project)
    questions = {question.id: question for question in project.questions.all(split="test")}
    assert [name for name, _ in evaluation.arms] == list(ARMS)
    for name in ARMS:
        assert {(a.question_id, a.sample) for a in answers[name]} == {
            (question, s) for question in questions for s in range(2)
        }
        checks = [check_answer(project.rules.all(), a.answer, questions[a.question_id]) for a in answers[name]]
        score = evaluation.arm(name)
        assert score is not None
        kept = [all(check.passed for check in found) for found in checks]
        assert score.all_rules == rate_of_samples(zip((a.question_id for a in answers[name]), kept, strict=True))
        assert [rule.rate.passed for rule in score.rules] == [sum(f[i].passed for f in checks) for i in range(2)]
        assert score.ttft_ms_p50 > 0
        assert score.tokens_per_second_p50 > 0
        assert 1 <= score.completion_tokens_mean <= 10
        assert all(a.finish_reason in ("stop", "length") for a in answers[name])
    unprompted, prompted, distilled = (dict(evaluation.arms)[name] for name in ARMS)
    assert prompted.kl_to_prompted is None
    for score in (unprompted, distilled):
        assert score.kl_to_prompted is not None
        assert 0 < score.kl_to_prompted.low <= score.kl_to_prompted.mean <= score.kl_to_prompted.high
        assert math.isfinite(score.kl_to_prompted.mean_free_tokens)
    assert distilled.prompt_tokens_mean == unprompted.prompt_tokens_mean < prompted.prompt_tokens_mean - 50
    assert len({json.dumps([a.answer for a in answers[name]]) for name in ARMS}) == 3
    assert evaluation.questions == 6
    assert evaluation.peak_rss_mb > 50
    assert project.settings.timings()["evaluate"] == pytest.approx(evaluation.evaluate_s)
    progress = [event for event in context.events if isinstance(event, Progress)]
    assert progress[-1].done == progress[-1].total == 3 * 12 + 6
    assert [event.done for event in progress] == sorted(event.done for event in progress)


def test_an_adapter_that_changes_nothing_answers_exactly_as_the_base(private_home: Path, base: Path) -> None:
    """Same seeds in every arm, and the adapter really is what tells the arms apart."""
    nothing = make_tiny_adapter(base, private_home.parent / "nothing", scale=0.0)
    with make_trained_project(Home.locate(), base, nothing) as project:
        evaluate(project)
        answers, evaluation = answers_of(project), latest(project)
        texts = {name: [a.answer for a in answers[name]] for name in ARMS}
        assert texts["distilled"] == texts["unprompted"] != texts["prompted"]
        unprompted, distilled = (dict(evaluation.arms)[name].kl_to_prompted for name in ("unprompted", "distilled"))
        assert unprompted is not None
        assert distilled is not None
        assert distilled.mean == pytest.approx(unprompted.mean, abs=1e-5)
        assert (distilled.low, distilled.high) == pytest.approx((unprompted.low, unprompted.high), abs=1e-5)


def test_a_stopped_evaluation_goes_on_where_it_was_and_ends_with_the_same_answers(
    project: Project, base: Path, adapter: Path, private_home: Path
) -> None:
    with pytest.raises(JobStopped):
        evaluate(project, stop_after=17)
    kept = {(a.arm, a.question_id, a.sample) for found in answers_of(project).values() for a in found}
    assert 17 <= len(kept) < 36
    assert project.evaluations.latest() is None
    (job,) = project.jobs.all()
    before = project.jobs.work(job.id)["evaluation"]
    assert (before.seconds > 0, before.answers) == (True, len(kept))
    project.jobs.keep_work(job.id, "evaluation", before.seconds + 1000.0, 0)
    again = evaluate(project, job=job)
    assert len(again.ended()) == 36 - len(kept)
    whole = latest(project)
    assert whole.evaluate_s > 1000.0 + before.seconds, "of both processes"
    assert project.settings.timings()["evaluate"] == pytest.approx(whole.evaluate_s)
    assert whole.reused == 0, "all were asked by this job"
    with make_trained_project(Home.locate(private_home / "other"), base, adapter) as untouched:
        evaluate(untouched)
        assert answers_of(untouched) == answers_of(project)
        assert latest(untouched).recovered == latest(project).recovered
    assert not evaluate(project).ended()  # all is there: a second evaluation asks nothing again
    assert latest(project).evaluate_s < 1000.0, "a new job begins at nothing"
    assert latest(project).reused == 36


def test_a_question_that_is_removed_meanwhile_is_left_out_of_every_arm_and_that_is_said(project: Project) -> None:
    first, second, third, *left = [question.id for question in project.questions.all(split="test")]

    class Removing(Watched):
        """Its person removes a question while the first arm answers, takes one out and back while the second does, and
        removes one when all have answered.
        """

        def emit(self, event: Event) -> None:
            super().emit(event)
            with Project.open(project.folder) as mine:
                if isinstance(event, AnswerEnded) and len(self.ended()) == 4:
                    mine.questions.remove([first])
                if isinstance(event, AnswerEnded) and len(self.ended()) == 16:
                    mine.questions.put_back(mine.questions.take_out([second]))
                if isinstance(event, Progress) and event.note.startswith("divergence"):
                    mine.questions.remove([third])

    context = Removing(project, project.jobs.add(OPTIONS))
    run(context, OPTIONS)
    context.close()
    evaluation, answers = latest(project), answers_of_evaluation(project, latest(project))
    assert (evaluation.questions, sorted(evaluation.removed)) == (3, [first, second, third])
    assert [score.all_rules.total for _, score in evaluation.arms] == [3 * 2] * 3
    assert {each.all_rules.questions for each in evaluation.comparisons} == {3}
    kept = {(answer.arm, answer.question_id) for answer in answers.answers}
    assert kept == {(arm, question) for arm in ARMS for question in left}, "what else was answered is there"
    streamed = {event.stream for event in context.ended()}
    assert not any(stream.startswith((f"prompted/{first}/", f"distilled/{first}/")) for stream in streamed)
    progress = [event for event in context.events if isinstance(event, Progress)]
    assert progress[-1].done == progress[-1].total
    words = "3 questions were removed during the evaluation and are left out of every arm."
    assert words in " ".join(to_text(build(read_report(project))).split())
    assert report_json(project)["dataset"]["removed_meanwhile"] == 3
    assert [event.text[:10] for event in context.events if isinstance(event, Note)] == ["1 question"] * 3
    evaluate(project)
    assert (latest(project).questions, latest(project).removed) == (4, ()), "what was put back is asked anew"
    assert answers_of_evaluation(project, evaluation) == answers


def test_an_evaluation_whose_questions_were_all_removed_says_what_to_do(project: Project) -> None:
    class Removing(Watched):
        def emit(self, event: Event) -> None:
            super().emit(event)
            if isinstance(event, AnswerEnded) and len(self.ended()) == 2:
                with Project.open(project.folder) as mine:
                    mine.questions.remove(mine.questions.ids())

    context = Removing(project, project.jobs.add(OPTIONS))
    with pytest.raises(DatasetError, match="All of them were removed during the evaluation"):
        run(context, OPTIONS)
    context.close()


def test_other_options_or_another_adapter_are_another_evaluation(project: Project, base: Path) -> None:
    key = make_plan(project, OPTIONS).key
    assert make_plan(project, dataclasses.replace(OPTIONS, limit=3, batch_rows=2)).key == key
    for changed in ({"temperature": 0.5}, {"seed": 1}, {"max_answer_tokens": 11}):
        assert make_plan(project, dataclasses.replace(OPTIONS, **changed)).key != key
    make_tiny_adapter(base, project.folder / "runs/1/adapter", seed=2)
    assert make_plan(project, OPTIONS).key != key


def test_a_limit_takes_questions_of_every_topic(project: Project) -> None:
    project.questions.remove(project.questions.ids())
    project.questions.add(
        Question((Message("user", f"{number} of {topic}?"),), topic=topic, split="test")
        for topic in "abcdef"
        for number in range(4)
    )
    before: set[int] = set()
    for limit in (6, 12, 99):
        chosen = make_plan(project, dataclasses.replace(OPTIONS, limit=limit)).questions
        assert before <= (before := {question.id for question in chosen}), "nothing is asked anew"
        assert len(chosen) == min(limit, 24)
        assert {question.topic for question in chosen} == set("abcdef")


def test_what_cannot_be_evaluated_is_refused_with_the_next_step(project: Project) -> None:
    with pytest.raises(DatasetError, match="validation split is empty"):
        evaluate(project, dataclasses.replace(OPTIONS, split="validation"))
    (project.folder / "runs/1/adapter/adapter_model.safetensors").unlink()
    with pytest.raises(NotFoundError, match="distill-tui train"):
        evaluate(project)


def test_memory_that_does_not_suffice_is_told_with_the_arm_and_what_is_stored_is_kept(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = dataclasses.replace(OPTIONS, samples=1)

    def no_room(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    class Filling(Watched):
        """The device is full as soon as the prompted arm answers."""

        def emit(self, event: Event) -> None:
            super().emit(event)
            if isinstance(event, AnswerStarted) and event.stream.startswith("prompted/"):
                monkeypatch.setattr(Batch, "step", no_room)

    context = Filling(project, project.jobs.add(options))
    with pytest.raises(ModelError, match=r"answers of arm prompted do not fit.*CUDA out of memory.*--batch-rows"):
        run(context, options)
    context.close()
    monkeypatch.undo()
    assert {answer.arm for found in answers_of(project, options).values() for answer in found} == {"unprompted"}
    one_thread(monkeypatch)
    with monkeypatch.context() as full:
        full.setattr(score, "forward_shared", no_room)
        with pytest.raises(ModelError, match=r"answers of arms prompted, unprompted, distilled do not fit"):
            evaluate(project, options)
    assert not evaluate(project, dataclasses.replace(options, batch_rows=1)).ended(), "nothing is asked again"


async def test_a_teacher_behind_an_address_is_the_reference_and_its_refusals_keep_no_rule(
    project: Project,
) -> None:
    options = dataclasses.replace(OPTIONS, samples=1, teacher=TeacherSpec("endpoint", "peer", "http://127.0.0.1:1/v1"))
    folder = project.folder

    def work(url: str) -> tuple[Evaluation, list[ArmAnswer], list[str]]:
        with Project.open(folder) as mine:
            asked = dataclasses.replace(options, teacher=TeacherSpec("endpoint", "peer", url))
            events = evaluate(mine, asked).events
            notes = [event.text for event in events if isinstance(event, Note)]
            return latest(mine), answers_of(mine, asked)["teacher"], notes

    refusal = status("400 Bad Request", {"error": {"message": "no", "code": "content_filter"}})
    busy = status("429 Too Many Requests", {"error": {"message": "later"}}, "retry-after-ms: 10")
    async with HostileServer([refusal, busy, good("A fin", " day."), good("A fine day.")]) as server:
        evaluation, answers, notes = await asyncio.to_thread(work, server.url)
        assert len(server.requests) == 7
        messages = server.requests[0].body["messages"]
    assert isinstance(messages, list)
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert ["HTTP 429: later. Asked again in" in note for note in notes] == [True]
    assert evaluation.reference == "teacher"
    teacher = evaluation.arm("teacher")
    assert teacher is not None
    assert teacher.kl_to_prompted is None
    assert sorted(answer.answer for answer in answers) == ["", "A fin day.", *["A fine day."] * 4]
    assert [rule.rate.passed for rule in teacher.rules] == [1, 5]
    assert teacher.ttft_ms_p50 > 0


async def test_two_at_once_ask_a_teacher_behind_an_address_once(project: Project) -> None:
    async def held(request: Request, writer: asyncio.StreamWriter) -> None:
        await another_waits(project, "(evaluate) of trained asks the teacher")
        await good("A fine day.")(request, writer)

    def work(url: str) -> None:
        with Project.open(project.folder) as mine:
            evaluate(mine, dataclasses.replace(OPTIONS, samples=1, teacher=TeacherSpec("endpoint", "peer", url)))

    async with HostileServer([held]) as server:
        await asyncio.gather(*(asyncio.to_thread(work, server.url) for _ in range(2)))
        assert len(server.requests) == 6
    assert latest(project).id == 2


def test_an_outage_of_the_teacher_is_no_answer_and_what_was_kept_as_one_is_asked_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EndpointTeacher, "_wait", lambda self, state: 0.0)
    answered, down = 0, status("503 Service Unavailable", {"error": {"message": "overloaded"}})

    async def fails_after_two(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        answered += 1
        await (good("A fin", " day.") if answered <= 2 or answered > 100 else down)(request, writer)

    with served(fails_after_two) as server:
        options = dataclasses.replace(OPTIONS, samples=1, teacher=TeacherSpec("endpoint", "peer", server.url))
        job = project.jobs.add(options)
        with pytest.raises(EndpointError, match="The server failed"):
            evaluate(project, options, job=job)
        assert project.evaluations.latest() is None
        kept = answers_of(project, options)["teacher"]
        assert [answer.answer for answer in kept] == ["A fin day."] * 2
        plan = make_plan(project, options)
        missing = next(t for t in plan.tasks if t.question.id not in {answer.question_id for answer in kept})
        old = dataclasses.replace(kept[0], question_id=missing.question.id, answer="", finish_reason="error")
        project.evaluations.add_answers(plan.run.id, plan.key, [old], plan.sources["teacher"])
        answered, before = 100, len(server.requests)
        evaluate(project, options, job=job)
        assert len(server.requests) - before == 4
    assert [answer.answer for answer in answers_of(project, options)["teacher"]] == ["A fin day."] * 6
    teacher = latest(project).arm("teacher")
    assert teacher is not None
    assert teacher.all_rules.passed == teacher.all_rules.total == 6


def test_a_teacher_that_refuses_everything_is_no_teacher_that_keeps_no_rule(project: Project) -> None:
    refusal = status("400 Bad Request", {"error": {"message": "no such parameter: seed"}})
    with served(refusal) as server:
        options = dataclasses.replace(OPTIONS, samples=3, teacher=TeacherSpec("endpoint", "peer", server.url))
        with pytest.raises(EndpointError, match="no such parameter"):
            evaluate(project, options)
        with pytest.raises(EndpointError, match="no such parameter"):  # nor where the questions are few
            evaluate(project, dataclasses.replace(options, samples=1, limit=2))
    assert project.evaluations.latest() is None
    assert answers_of(project, options)["teacher"] == []


def test_a_question_that_the_teacher_refuses_keeps_no_rule_also_where_it_is_the_last_one_left(
    project: Project,
) -> None:
    asked, first = 0, project.questions.all("test")[0].text

    async def choosy(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        refusal = status("400 Bad Request", {"error": {"message": "bad byte"}})
        answer = refusal if request.question == first else good("A fin day.")
        await answer(request, writer)

    with served(choosy) as server:
        options = dataclasses.replace(OPTIONS, samples=1, teacher=TeacherSpec("endpoint", "peer", server.url))
        evaluate(project, options)
        before = asked
        evaluate(project, options)  # only the refused one is asked again
        assert asked - before == 1
    answers = answers_of(project, options)["teacher"]
    assert sorted(answer.answer for answer in answers) == ["", *["A fin day."] * 5]
    (lost,) = [answer for answer in answers if not answer.answer]
    assert all("refused the request. HTTP 400: bad byte" in check.note for check in lost.checks)


def test_what_the_teacher_refused_is_refused_again_and_the_evaluation_made_all_the_same(project: Project) -> None:
    refused = {question.text for question in project.questions.all("test")[:4]}

    async def choosy(request: Request, writer: asyncio.StreamWriter) -> None:
        refusal = status("400 Bad Request", {"error": {"message": "bad byte"}})
        await (refusal if request.question in refused else good("A fin day."))(request, writer)

    with served(choosy) as server:
        options = dataclasses.replace(OPTIONS, samples=3, teacher=TeacherSpec("endpoint", "peer", server.url))
        evaluate(project, options)
        evaluate(project, options)  # twelve are asked, and all are refused
    assert len(project.evaluations.all()) == 2


def test_another_local_model_can_be_the_teacher(project: Project, tmp_path: Path) -> None:
    teacher = TeacherSpec("local", str(make_tiny_base(tmp_path / "other", seed=5)))
    options = dataclasses.replace(OPTIONS, samples=1, teacher=teacher)
    evaluate(project, options)
    answers, evaluation = answers_of(project, options), latest(project)
    assert evaluation.reference == "teacher"
    assert [a.prompt_tokens for a in answers["teacher"]] == [a.prompt_tokens for a in answers["prompted"]]
    assert [a.answer for a in answers["teacher"]] != [a.answer for a in answers["prompted"]]
    score = evaluation.arm("teacher")
    assert score is not None
    assert score.ttft_ms_p50 > 0
    report = report_json(project)
    assert report["reference"] == "teacher"
    assert "teacher" in brief_text(project)


def test_seeds_depend_on_question_and_sample_alone_and_suit_torch() -> None:
    seeds = {answer_seed(0, question, sample) for question in range(50) for sample in range(3)}
    assert len(seeds) == 150
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert answer_seed(0, 1, 2) != answer_seed(1, 1, 2)


def test_the_report_holds_every_promised_field_and_the_text_the_same_figures(project: Project) -> None:
    with pytest.raises(NotFoundError, match="distill-tui generate"):
        report_json(project)
    evaluate(project)
    report = json.loads(json.dumps(report_json(project), allow_nan=False))
    assert report["schema"] == 1
    prompt_tokens = (
        report["arms"]["prompted"]["prompt_tokens_mean"] - report["arms"]["unprompted"]["prompt_tokens_mean"]
    )
    assert report["prompt"]["tokens"] == report["savings"]["prompt_tokens_per_request"] == prompt_tokens
    assert report["prompt"]["rules"] == 2
    assert report["student"]["adapter"] == "runs/1/adapter"
    assert report["dataset"] == {"sha256": latest(project).dataset_sha256, "train": 1, "validation": 0, "test": 6}
    assert report["sampling"] == {
        "split": "test", "temperature": 0.7, "samples": 2, "max_answer_tokens": 10, "limit": None, "seed": 0,
        "reused_answers": 0,
    }  # fmt: skip
    assert report["arms"]["teacher"] is None
    assert report["arms"]["prompted"]["kl_to_prompted"] is None
    assert set(report["arms"]["distilled"]["rules"][0]) == {
        "id", "text", "kind", "passed", "total", "rate", "low", "high",
    }  # fmt: skip
    assert report["verdict"] == "undecided"  # of six questions
    assert [(each["arm"], each["against"]) for each in report["comparisons"]] == [
        ("unprompted", "prompted"), ("distilled", "prompted"), ("distilled", "unprompted"),
    ]  # fmt: skip
    assert_shape(report, REPORT)
    assert report["timing"]["total_s"] == pytest.approx(report["timing"]["evaluate_s"])
    assert report["savings"]["cost_usd_per_1000_requests"] == dict.fromkeys(
        ("prompted", "prompted_cached", "distilled")
    )
    text = brief_text(project)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert f"{report['prompt']['tokens']}  prompt tokens saved per request" in text


def test_the_answers_of_an_evaluation_are_found_again_and_no_others(project: Project) -> None:
    evaluate(project, dataclasses.replace(OPTIONS, limit=2))
    narrow = latest(project)
    evaluate(project)
    found, all_of_them = answers_of_evaluation(project, narrow), answers_of_evaluation(project, latest(project))
    asked = make_plan(project, dataclasses.replace(OPTIONS, limit=2)).questions
    assert list(found.questions) == [question.id for question in asked]
    assert len(found.answers) == 3 * 2 * 2
    assert len(all_of_them.answers) == 3 * 6 * 2
    assert {lapse.question_id for lapse in find_lapses(found.answers, "prompted")} == found.questions.keys()
    unnamed = dataclasses.replace(narrow, answers_key="")
    assert answers_of_evaluation(project, unnamed) == Answered({}, ())


def test_a_question_of_a_wider_evaluation_never_takes_the_place_of_one_that_was_removed(project: Project) -> None:
    evaluate(project, dataclasses.replace(OPTIONS, limit=2))
    narrow = latest(project)
    evaluate(project)
    first, second = answers_of_evaluation(project, narrow).questions
    project.questions.remove([first])
    assert list(answers_of_evaluation(project, narrow).questions) == [second]
    assert len(answers_of_evaluation(project, latest(project)).questions) == 5


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it
def test_the_worst_held_out_tokens_are_those_of_plain_forward_passes(
    project: Project, base: Path, adapter: Path
) -> None:
    """Both models anew through transformers and peft, answer by answer, without cache or batch."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from engine.model.chat_format import ChatFormat

    project.runs.update(1, config=dataclasses.replace(project.runs.get(1).config, dtype="float32"))
    evaluate(project)
    chat, answers = ChatFormat.load(base), answers_of(project)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), str(adapter))
    found: list[tuple[float, int, str, str, str]] = []
    means: dict[int, float] = {}
    for question in project.questions.all(split="test"):
        answer = next(a for a in answers["prompted"] if (a.question_id, a.sample) == (question.id, 0))
        ids = chat.completion_ids(answer.answer)
        ids = ids[:-1] if answer.finish_reason == "length" else ids

        def logprobs(context: list[int], ids: list[int] = ids) -> torch.Tensor:
            with torch.inference_mode():
                whole = model(torch.tensor([[*context, *ids]])).logits[0]
            return whole[len(context) - 1 : -1].log_softmax(-1)

        with model.disable_adapter():
            expected = logprobs(chat.prompted_ids(project.prompts.require(), question.messages))
        student = logprobs(chat.question_ids(question.messages))
        kl = (expected.exp() * (expected - student)).sum(-1).tolist()
        means[question.id] = sum(kl) / len(kl)
        for place, value in enumerate(kl):
            told = (ids[place], int(expected[place].argmax()), int(student[place].argmax()))
            found.append((value, question.id, *(chat.text_after(ids[:place], token) for token in told)))
    score = latest(project).arm("distilled")
    assert score is not None
    assert score.kl_to_prompted is not None
    worst = sorted(found, key=lambda one: -one[0])[:8]
    told_tokens = score.kl_to_prompted.worst_tokens
    assert [token.kl for token in told_tokens] == pytest.approx([one[0] for one in worst], rel=1e-3)
    assert sorted((t.question_id, t.token, t.prompted, t.arm) for t in told_tokens) == sorted(one[1:] for one in worst)
    broken = {
        a.question_id: tuple(c.rule_id for c in a.checks if not c.passed) for a in answers["distilled"] if not a.sample
    }
    assert all(token.broken == broken[token.question_id] for token in told_tokens)
    assert any(token.broken for token in told_tokens)
    worst_answers = score.kl_to_prompted.worst_answers
    assert {each.question_id: each.kl for each in worst_answers} == pytest.approx(means, rel=1e-3)
    assert worst_answers[0].kl == max(each.kl for each in worst_answers)
    unprompted = latest(project).arm("unprompted")
    assert unprompted is not None
    assert unprompted.kl_to_prompted is not None
    assert not unprompted.kl_to_prompted.worst_tokens
    told = json.loads(json.dumps(report_json(project)))["arms"]["distilled"]["kl_to_prompted"]["worst_tokens"]
    assert [each["question_id"] for each in told] == [token.question_id for token in told_tokens]
