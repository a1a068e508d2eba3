"""The losses compared with a slow reference: full vocabulary, float64, one token at a time, gradients by hand."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.training.losses import (
    TeacherTopK,
    cross_entropy,
    forward_kl_top_k,
    kl_weights,
    mixed_loss,
    normalised,
    reverse_kl_top_k,
)


def softmax(row: list[float]) -> list[float]:
    top = max(row)
    weights = [math.exp(value - top) for value in row]
    return [weight / math.fsum(weights) for weight in weights]


def reference_kl(logits: list[float], ids: list[int], logprobs: list[float], tail: float) -> tuple[float, list[float]]:
    """KL over the k + 1 buckets and its gradient with respect to every logit, from the definition."""
    mass = math.fsum(math.exp(p) for p in logprobs) + math.exp(tail)
    p_top, p_tail = [math.exp(p) / mass for p in logprobs], math.exp(tail) / mass
    q = softmax(logits)
    q_tail = math.fsum(q[i] for i in range(len(q)) if i not in ids)
    kl = math.fsum(p * (math.log(p) - math.log(q[i])) for i, p in zip(ids, p_top, strict=True) if p > 0)
    if p_tail > 0 and len(ids) < len(q):
        kl += p_tail * (math.log(p_tail) - math.log(q_tail))
    gradient = []
    for i, value in enumerate(q):
        target = p_top[ids.index(i)] if i in ids else p_tail * value / q_tail
        gradient.append(value - target)
    return kl, gradient


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, Tensor, TeacherTopK, Tensor]:
    """Student logits, targets, a teacher's top k of the same vocabulary as stored on disk, KL weights."""
    vocabulary = draw(st.integers(2, 12))
    k = draw(st.integers(1, vocabulary))
    count = draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**31))
    scale = draw(st.sampled_from([0.1, 1.0, 8.0, 30.0]))
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(count, vocabulary, generator=generator) * scale
    teacher = torch.log_softmax(torch.randn(count, vocabulary, generator=generator).double() * scale, -1)
    top = teacher.topk(k)
    rest = teacher.scatter(1, top.indices, -torch.inf).logsumexp(1).clamp_min(-100.0)
    stored = TeacherTopK(top.indices, top.values.half().float(), rest.half().float())
    targets = torch.randint(vocabulary, (count,), generator=generator)
    weights = torch.rand(count, generator=generator) * (torch.rand(count, generator=generator) < 0.7)
    return student, targets, stored, weights


@given(cases())
@settings(max_examples=150)
def test_forward_kl_and_its_gradient_equal_the_reference(case: tuple[Tensor, Tensor, TeacherTopK, Tensor]) -> None:
    student, _targets, teacher, _weights = case
    logits = student.clone().requires_grad_()
    found = forward_kl_top_k(logits, teacher)
    found.sum().backward()
    assert logits.grad is not None
    for row in range(len(student)):
        kl, gradient = reference_kl(
            student[row].tolist(), teacher.ids[row].tolist(), teacher.logprobs[row].tolist(), float(teacher.tail[row])
        )
        assert float(found[row].detach()) == pytest.approx(kl, abs=2e-4, rel=1e-4)
        assert logits.grad[row].tolist() == pytest.approx(gradient, abs=1e-5)


@given(cases())
@settings(max_examples=100)
def test_mixed_loss_of_a_batch_equals_single_tokens_and_the_weighted_reference(
    case: tuple[Tensor, Tensor, TeacherTopK, Tensor],
) -> None:
    student, targets, teacher, kl_weight = case
    logits = student.clone().requires_grad_()
    held = kl_weight > 0
    together = mixed_loss(logits, targets, teacher, kl_weight, held)
    together.sum().backward()
    assert logits.grad is not None
    for row in range(len(student)):
        one = slice(row, row + 1)
        alone_logits = student[one].clone().requires_grad_()
        alone = mixed_loss(alone_logits, targets[one], teacher[one], kl_weight[one], held[one])
        alone.sum().backward()
        assert alone_logits.grad is not None
        assert torch.allclose(alone, together[one], atol=1e-6)
        assert torch.allclose(alone_logits.grad, logits.grad[one], atol=1e-6)
        share, target = float(kl_weight[row]), int(targets[row])
        kl, kl_gradient = reference_kl(
            student[row].tolist(), teacher.ids[row].tolist(), teacher.logprobs[row].tolist(), float(teacher.tail[row])
        )
        q = softmax(student[row].double().tolist())
        expected = share * kl - (1 - share) * float(torch.log_softmax(student[row].double(), -1)[target])
        assert float(together[row].detach()) == pytest.approx(expected, abs=2e-4, rel=1e-4)
        gradient = [
            share * slope + (1 - share) * (value - (index == target))
            for index, (slope, value) in enumerate(zip(kl_gradient, q, strict=True))
        ]
        assert logits.grad[row].tolist() == pytest.approx(gradient, abs=1e-5)


@given(st.integers(0, 10**6))
@settings(max_examples=30)
def test_forward_kl_over_the_full_vocabulary_is_the_full_divergence(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (torch.randn(3, 9, generator=generator).double() for _ in range(2))
    expected = torch.nn.functional.kl_div(
        torch.log_softmax(student, -1), torch.log_softmax(teacher, -1), reduction="none", log_target=True
    ).sum(-1)
    top = torch.log_softmax(teacher, -1).topk(9)
    for empty_tail in (-torch.inf, -100.0):
        found = forward_kl_top_k(student, TeacherTopK(top.indices, top.values, torch.full((3,), empty_tail)))
        assert torch.allclose(found.double(), expected, atol=1e-5)


def test_forward_kl_to_itself_is_zero_even_in_half_precision() -> None:
    logits = torch.randn(64, 1000, generator=torch.Generator().manual_seed(0)) * 4
    full = torch.log_softmax(logits, -1)
    top = full.topk(20)
    tail = full.scatter(1, top.indices, -torch.inf).logsumexp(-1)
    same = forward_kl_top_k(logits, TeacherTopK(top.indices, top.values, tail))
    assert same.abs().max() < 1e-5
    rounded = forward_kl_top_k(logits, TeacherTopK(top.indices, top.values.half().float(), tail.half().float()))
    assert rounded.min() > -1e-5
    assert rounded.max() < 1e-3


@pytest.mark.parametrize("certain_token", [0, 5])
def test_certain_student_gets_finite_loss_and_gradients(certain_token: int) -> None:
    """All mass is on one token, in the teacher's top k or outside: 1 − Σ q would round to 0 or 1."""
    logits = torch.zeros(1, 50)
    logits[0, certain_token] = 120.0
    logits.requires_grad_()
    ids, logprobs = torch.arange(4)[None], torch.tensor([[0.4, 0.3, 0.2, 0.05]]).log()
    loss = forward_kl_top_k(logits, TeacherTopK(ids, logprobs, torch.tensor([0.05]).log()))
    loss.sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(loss).all()
    assert torch.isfinite(logits.grad).all()
    kl, gradient = reference_kl(logits.detach()[0].tolist(), ids[0].tolist(), logprobs[0].tolist(), math.log(0.05))
    assert float(loss.detach()) == pytest.approx(kl, rel=1e-5)
    assert logits.grad[0].tolist() == pytest.approx(gradient, abs=1e-6)


def test_tail_bucket_penalises_mass_taken_from_tokens_outside_the_top_k() -> None:
    """Token 0 is the teacher's top 1: one student gives the rest of the mass to the tail, the other to token 0."""
    ids, logprobs = torch.tensor([[0]]), torch.tensor([[0.5]]).log()
    honest = torch.tensor([[0.5, 0.25, 0.25]]).log()
    greedy = torch.tensor([[0.98, 0.01, 0.01]]).log()
    teacher = TeacherTopK(ids, logprobs, torch.tensor([0.5]).log())
    losses = [float(forward_kl_top_k(q, teacher)) for q in (honest, greedy)]
    assert losses[0] == pytest.approx(0.0, abs=1e-6)
    assert losses[1] > 1.0


def test_tokens_from_the_edit_on_carry_only_cross_entropy() -> None:
    follows = torch.tensor([True, True, False, False])
    assert kl_weights("mix", 0.25, follows).tolist() == [0.75, 0.75, 0.0, 0.0]
    assert kl_weights("forward_kl", 0.25, follows).tolist() == [1.0, 1.0, 0.0, 0.0]
    assert kl_weights("cross_entropy", 0.25, follows).tolist() == [0.0] * 4


def test_teacher_values_after_an_edit_are_never_read() -> None:
    logits = torch.randn(3, 7, requires_grad=True)
    targets = torch.tensor([1, 2, 3])
    nonsense = TeacherTopK(torch.zeros(3, 2, dtype=torch.int64), torch.full((3, 2), math.nan), torch.zeros(3))
    no_kl = torch.zeros(3)
    loss = mixed_loss(logits, targets, nonsense, no_kl, no_kl > 0)
    assert torch.equal(loss, cross_entropy(logits, targets))


def test_normalised_buckets_have_a_mass_of_one() -> None:
    teacher = normalised(TeacherTopK(torch.tensor([[0, 1]]), torch.tensor([[-0.5, -1.5]]), torch.tensor([-1.0])))
    assert float(teacher.logprobs.exp().sum() + teacher.tail.exp().sum()) == pytest.approx(1.0)


def reference_reverse_kl(
    student: list[float], teacher: list[float], k: int, ratio_clip: float
) -> tuple[float, list[float]]:
    """KL (student ‖ teacher) over the student's k likeliest and the tail, and its gradient, from the definition."""
    q, p = softmax(student), softmax(teacher)
    top = sorted(range(len(q)), key=lambda i: -q[i])[:k]
    buckets = [[i] for i in top] + ([[i for i in range(len(q)) if i not in top]] if k < len(q) else [])
    loss, gradient = 0.0, [0.0] * len(q)
    for bucket in buckets:
        mass, expected = math.fsum(q[i] for i in bucket), math.fsum(p[i] for i in bucket)
        ratio = math.log(mass) - math.log(expected)
        loss += mass * min(ratio, ratio_clip)
        # d(mass · ratio) = ratio · d mass + d mass while the ratio is not clipped, ratio_clip · d mass if it is.
        slope = ratio + 1 if ratio < ratio_clip else ratio_clip
        for j, share in enumerate(q):
            gradient[j] += slope * ((share if j in bucket else 0.0) - mass * share)
    return loss, gradient


@given(
    st.integers(2, 12), st.integers(1, 14), st.integers(0, 2**31), st.sampled_from([0.1, 1.0, 4.0]),
    st.sampled_from([0.5, 3.0, 1000.0]),
)  # fmt: skip
@settings(max_examples=150)
def test_reverse_kl_and_its_gradient_equal_the_reference(
    vocabulary: int, k: int, seed: int, scale: float, ratio_clip: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (torch.randn(4, vocabulary, generator=generator) * scale for _ in range(2))
    logits = student.clone().requires_grad_()
    together = reverse_kl_top_k(logits, teacher, k, ratio_clip)
    together.sum().backward()
    assert logits.grad is not None
    for row in range(len(student)):
        expected, gradient = reference_reverse_kl(
            student[row].double().tolist(), teacher[row].double().tolist(), min(k, vocabulary), ratio_clip
        )
        assert float(together[row].detach()) == pytest.approx(expected, abs=1e-4, rel=1e-4)
        assert logits.grad[row].tolist() == pytest.approx(gradient, abs=1e-4)
        one = slice(row, row + 1)
        alone = student[one].clone().requires_grad_()
        loss = reverse_kl_top_k(alone, teacher[one], k, ratio_clip)
        loss.sum().backward()
        assert alone.grad is not None
        assert torch.allclose(loss, together[one], atol=1e-6)
        assert torch.allclose(alone.grad, logits.grad[one], atol=1e-6)


def test_reverse_kl_grows_with_k_up_to_the_full_divergence() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(8, 40, generator=generator).double() * 3 for _ in range(2))
    full = torch.nn.functional.kl_div(
        torch.log_softmax(teacher, -1), torch.log_softmax(student, -1), reduction="none", log_target=True
    ).sum(-1)
    by_k = [reverse_kl_top_k(student, teacher, k, 1e9).double() for k in (1, 5, 20, 40, 256)]
    assert torch.allclose(by_k[-1], full, atol=1e-5)
    assert torch.equal(by_k[-1], by_k[-2])
    assert all((fewer <= more + 1e-5).all() for fewer, more in pairwise(by_k))
    assert (by_k[0] > -1e-6).all()


def test_token_that_the_teacher_rules_out_is_unlearned_with_a_bounded_loss() -> None:
    student, teacher = torch.zeros(1, 30), torch.zeros(1, 30)
    student[0, 3], teacher[0, 3] = 120.0, -120.0
    student.requires_grad_()
    loss = reverse_kl_top_k(student, teacher, 4, 5.0)
    loss.sum().backward()
    assert float(loss.detach()) == pytest.approx(5.0)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()
    unsure = torch.zeros(1, 30)
    unsure[0, 3] = 2.0
    unsure.requires_grad_()
    reverse_kl_top_k(unsure, teacher, 4, 5.0).sum().backward()
    assert unsure.grad is not None
    assert unsure.grad[0].argmax() == 3
    assert unsure.grad[0, 3] > 0.5
