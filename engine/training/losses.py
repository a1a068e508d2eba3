"""The losses of distillation, per completion token, in nats. Knows nothing of models, batches or files.

Forward KL (teacher ‖ student) is taken over the teacher's k most likely tokens and one bucket that holds the mass of
all other tokens. Without the bucket the estimate is biased: a student could put its mass where nobody looks. Reverse
KL (student ‖ teacher) is taken over the student's k most likely tokens and such a bucket.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.model.transfer import to_device
from engine.records.run import Objective


@dataclass(frozen=True, slots=True)
class TeacherTopK:
    """A teacher's k most likely next tokens at each of N positions, and the logarithm of the remaining mass.

    `ids` (N, k) int64, distinct within a row; `logprobs` (N, k) and `tail` (N,) float32.
    """

    ids: Tensor
    logprobs: Tensor
    tail: Tensor

    def __getitem__(self, where: slice | Tensor) -> "TeacherTopK":
        return TeacherTopK(self.ids[where], self.logprobs[where], self.tail[where])

    def to(self, device: torch.device) -> "TeacherTopK":
        return TeacherTopK(*(to_device(each, device) for each in (self.ids, self.logprobs, self.tail)))


def normalised(teacher: TeacherTopK) -> TeacherTopK:
    """Return the same k + 1 buckets with a total mass of exactly one, undoing the rounding to half precision."""
    total = torch.logaddexp(teacher.logprobs.logsumexp(-1), teacher.tail)
    return TeacherTopK(teacher.ids, teacher.logprobs - total[:, None], teacher.tail - total)


def forward_kl_top_k(student_logits: Tensor, teacher: TeacherTopK) -> Tensor:
    """Return KL(teacher ‖ student) over the teacher's k tokens and the tail: logits (N, V) → (N,) in nats.

    With Z the logsumexp of the student's logits it equals Z − `_teachers_share`. With k = V this is the full
    divergence.
    """
    logits = student_logits.float()
    return logits.logsumexp(-1) - _teachers_share(logits, teacher)


def _teachers_share(logits: Tensor, teacher: TeacherTopK) -> Tensor:
    """Return Σ pᵢ zᵢ + p_tail T + H(p), with z the student's logits (N, V) and T their logsumexp outside the k tokens.

    T is summed over the other tokens themselves: log(1 − Σ qᵢ) would cancel to nothing where the student is certain,
    and its gradient would explode.
    """
    teacher = normalised(teacher)
    probabilities, tail_probability = teacher.logprobs.exp(), teacher.tail.exp()
    share: Tensor = torch.special.entr(probabilities).sum(-1) + torch.special.entr(tail_probability)
    share = share + (probabilities * logits.gather(-1, teacher.ids)).sum(-1)
    if teacher.ids.shape[-1] < logits.shape[-1]:
        others = logits.scatter(-1, teacher.ids, float("-inf"))
        share = share + tail_probability * others.logsumexp(-1)
    return share


def reverse_kl_top_k(student_logits: Tensor, teacher_logits: Tensor, k: int, ratio_clip: float) -> Tensor:
    """Return KL(student ‖ teacher) over the student's k likeliest tokens and the tail: (N, V), (N, V) → (N,) in nats.

    Σ q (log q − log p), each log-ratio clipped to at most `ratio_clip` nats: otherwise a token that the teacher finds
    impossible would dominate the loss. Its probability q keeps its gradient, so such a token is still unlearned. With
    k ≥ V and no clipping this is the full divergence (MiniLLM, arXiv 2306.08543; k = 256 and the tail: OPCD, arXiv
    2602.12275). Neither the choice of the k tokens nor the teacher carries a gradient.
    """
    student, teacher = student_logits.float(), teacher_logits.detach().float()
    top = student.detach().topk(min(k, student.shape[-1]), dim=-1).indices
    buckets = [_log_shares(logits, top) for logits in (student, teacher)]
    log_q, log_p = (torch.cat(parts, dim=-1) for parts in buckets)
    kl: Tensor = (log_q.exp() * (log_q - log_p).clamp(max=ratio_clip)).sum(-1)
    return kl


def _log_shares(logits: Tensor, top: Tensor) -> list[Tensor]:
    """Return log-probabilities (N, k) of the tokens `top`, and of all others together (N, 1) if there are any."""
    total = logits.logsumexp(-1, keepdim=True)
    shares = [logits.gather(-1, top) - total]
    if top.shape[-1] < logits.shape[-1]:
        others = logits.scatter(-1, top, float("-inf"))
        shares.append(others.logsumexp(-1, keepdim=True) - total)
    return shares


def cross_entropy(student_logits: Tensor, target_ids: Tensor) -> Tensor:
    """−log q(target): (N, V), (N,) → (N,) in nats."""
    return functional.cross_entropy(student_logits.float(), target_ids, reduction="none")


def kl_weights(objective: Objective, cross_entropy_weight: float, follows_teacher: Tensor) -> Tensor:
    """Return the weight of forward KL at each of N tokens, (N,); the rest of 1 is the weight of cross-entropy.

    `follows_teacher` (N,) bool: whether the teacher's distribution holds there. Edited spans, the tokens after them and
    answers without a teacher distribution carry only cross-entropy: forward KL pulls towards the teacher along any
    text, and would undo the edit.
    """
    share = {"mix": cross_entropy_weight, "forward_kl": 0.0, "cross_entropy": 1.0}[objective]
    return follows_teacher.float() * (1.0 - share)


def mixed_loss(
    student_logits: Tensor, target_ids: Tensor, teacher: TeacherTopK | None, kl_weight: Tensor, held: Tensor
) -> Tensor:
    """Return forward KL by `kl_weight` (N,) plus cross-entropy by the rest of 1, at each of N tokens: (N,) in nats.

    With Z the logsumexp of the student's logits, cross-entropy is Z − z of the target, and KL is Z − `_teachers_share`:
    Z is computed once, with the cross-entropy. The caller sums and normalises.

    `held` (N,) bool says where `kl_weight` is not zero. It is on the CPU, because reading it from a GPU would wait for
    the GPU. Without `teacher`, every token is cross-entropy. Rows of `teacher` that are not held are never read.
    """
    logits = student_logits.float()
    loss = cross_entropy(logits, target_ids)
    if teacher is None or not held.any():
        return loss
    of_target = logits.gather(-1, target_ids[:, None])[:, 0]
    if held.all():  # the usual case: the logits are read in place, not copied
        return loss + kl_weight * (of_target - _teachers_share(logits, teacher))
    where = to_device(torch.nonzero(held).squeeze(-1), loss.device)
    apart = of_target[where] - _teachers_share(logits[where], teacher[where])
    return loss.index_add(0, where, kl_weight[where] * apart)
