"""The worst held-out tokens and answers: found as by a plain sort and by plain forward passes, with their rules."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation.held_out import rules_at, rules_text, worst_answers, worst_places
from engine.evaluation.report import report_json
from engine.project import Project
from engine.records.evaluation import HeldOutToken
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.rule import CheckResult, Span
from engine.records.run import WORST_KEPT
from tests.engine.evaluation.evaluation_jobs import evaluate, latest_evaluation, stored_answers
from tests.engine.evaluation.handmade_evaluations import arm_answer

LINES = st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, math.nan, math.inf]) | st.floats(0, 9), max_size=6))


@given(LINES)
def test_worst_places_equal_a_plain_sort(lines: list[list[float]]) -> None:
    all_places = [
        (kl, row, place) for row, line in enumerate(lines) for place, kl in enumerate(line) if math.isfinite(kl)
    ]
    assert worst_places(lines) == sorted(all_places, key=lambda one: (-one[0], one[1], one[2]))[:WORST_KEPT]


@given(LINES)
def test_worst_answers_are_ranked_by_mean_divergence_and_name_the_rules_failed(lines: list[list[float]]) -> None:
    questions = [Question((Message("user", f"{n}?"),), id=n + 1) for n in range(len(lines))]
    own = [
        arm_answer("distilled", n + 1, sample, n % 2 == sample, True) for n in range(len(lines)) for sample in (0, 1)
    ]
    found = worst_answers(questions, lines, own)
    means = {
        n + 1: math.fsum(line) / len(line) for n, line in enumerate(lines) if line and all(map(math.isfinite, line))
    }
    assert len(found) == min(WORST_KEPT, len(means))
    assert [answer.kl for answer in found] == sorted((answer.kl for answer in found), reverse=True)
    for answer in found:
        assert math.isclose(answer.kl, means[answer.question_id], abs_tol=1e-12)
        assert answer.tokens == len(lines[answer.question_id - 1])
        assert answer.broken == ((1,) if answer.question_id % 2 == 0 else ()), "only the first sample counts"
    omitted = set(means) - {answer.question_id for answer in found}
    assert all(means[number] <= found[-1].kl + 1e-12 for number in omitted)


def test_token_is_described_with_the_rules_on_its_characters() -> None:
    checks = (
        CheckResult(1, True, fixed=(Span(0, 4),)),
        CheckResult(2, False, failing=(Span(3, 9),)),
        CheckResult(3, True, failing=(Span(0, 9),)),  # a passed rule marks nothing
    )
    assert rules_at(checks, 0, 3) == ((1,), ())
    assert rules_at(checks, 3, 5) == ((1,), (2,))
    assert rules_at(checks, 4, 5) == ((), (2,))
    assert rules_at(checks, 9, 9) == ((), ())  # at the end of the answer
    token = HeldOutToken(1.0, 1, "", "a", "a", "b", (1,), (2,), (1, 2))
    assert rules_text(token) == "required by rule 1; breaks rule 2; student's answer fails rules 1, 2"
    assert rules_text(HeldOutToken(1.0, 1, "", "a", "a", "b")) == ""


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it
def test_worst_held_out_tokens_match_plain_forward_passes(project: Project, base: Path, adapter: Path) -> None:
    """The reference: both models through plain transformers and peft, one answer at a time, without cache or batch."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from engine.model.chat_format import ChatFormat

    project.runs.update(1, config=dataclasses.replace(project.runs.get(1).config, dtype="float32"))
    evaluate(project)
    chat, answers = ChatFormat.load(base), stored_answers(project)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), str(adapter))
    found: list[tuple[float, int, str, str, str]] = []
    means: dict[int, float] = {}
    for question in project.questions.all(split="test"):
        answer = next(a for a in answers["prompted"] if (a.question_id, a.sample) == (question.id, 0))
        ids = chat.completion_ids(answer.answer)
        ids = ids[:-1] if answer.finish_reason == "length" else ids

        def logprobs(context: list[int], ids: list[int] = ids) -> torch.Tensor:
            with torch.inference_mode():
                logits: torch.Tensor = model(torch.tensor([[*context, *ids]])).logits[0]
            return logits[len(context) - 1 : -1].log_softmax(-1)

        with model.disable_adapter():
            expected = logprobs(chat.prompted_ids(project.prompts.require(), question.messages))
        student = logprobs(chat.question_ids(question.messages))
        kl = (expected.exp() * (expected - student)).sum(-1).tolist()
        means[question.id] = sum(kl) / len(kl)
        for place, value in enumerate(kl):
            token_ids = (ids[place], int(expected[place].argmax()), int(student[place].argmax()))
            found.append((value, question.id, *(chat.text_after(ids[:place], token) for token in token_ids)))
    score = latest_evaluation(project).arm("distilled")
    assert score is not None
    assert score.kl_to_prompted is not None
    worst = sorted(found, key=lambda one: -one[0])[:8]
    reported_tokens = score.kl_to_prompted.worst_tokens
    assert [token.kl for token in reported_tokens] == pytest.approx([one[0] for one in worst], rel=1e-3)
    assert sorted((t.question_id, t.token, t.prompted, t.arm) for t in reported_tokens) == sorted(
        one[1:] for one in worst
    )
    broken = {
        a.question_id: tuple(c.rule_id for c in a.checks if not c.passed) for a in answers["distilled"] if not a.sample
    }
    assert all(token.broken == broken[token.question_id] for token in reported_tokens)
    assert any(token.broken for token in reported_tokens)
    worst_answers = score.kl_to_prompted.worst_answers
    assert {each.question_id: each.kl for each in worst_answers} == pytest.approx(means, rel=1e-3)
    assert worst_answers[0].kl == max(each.kl for each in worst_answers)
    unprompted = latest_evaluation(project).arm("unprompted")
    assert unprompted is not None
    assert unprompted.kl_to_prompted is not None
    assert not unprompted.kl_to_prompted.worst_tokens
    reported = json.loads(json.dumps(report_json(project)))["arms"]["distilled"]["kl_to_prompted"]["worst_tokens"]
    assert [each["question_id"] for each in reported] == [token.question_id for token in reported_tokens]
