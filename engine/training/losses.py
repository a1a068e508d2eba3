"""The losses of distillation, per completion token, in nats. Knows nothing of models, batches or files.

Forward KL (teacher ‖ student) is taken over the teacher's k most likely tokens and one bucket that holds the mass of
all other tokens. Without the bucket the estimate is biased: a student could put its mass where nobody looks. Reverse
KL (student ‖ teacher) is taken over the student's k most likely tokens and such a bucket.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

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
        return TeacherTopK(self.ids.to(device), self.logprobs.to(device), self.tail.to(device))


def normalised(teacher: TeacherTopK) -> TeacherTopK:
    """Return the same k + 1 buckets with a total mass of exactly one, undoing the rounding to half precision."""
    total = torch.logaddexp(teacher.logprobs.logsumexp(-1), teacher.tail)
    return TeacherTopK(teacher.ids, teacher.logprobs - total[:, None], teacher.tail - total)


def forward_kl_top_k(student_logits: Tensor, teacher: TeacherTopK) -> Tensor:
    """Return KL(teacher ‖ student) over the teacher's k tokens and the tail: logits (N, V) → (N,) in nats.

    With z the student's logits, Z = logsumexp(z) and T = logsumexp of z outside the teacher's k tokens, it equals
    Z − Σ pᵢ zᵢ − p_tail T − H(p). T is summed over the other tokens themselves: log(1 − Σ qᵢ) would cancel to
    nothing where the student is certain, and its gradient would explode. With k = V this is the full divergence.
    """
    teacher = normalised(teacher)
    logits = student_logits.float()
    probabilities, tail_probability = teacher.logprobs.exp(), teacher.tail.exp()
    negative_entropy = -torch.special.entr(probabilities).sum(-1) - torch.special.entr(tail_probability)
    cross = (probabilities * logits.gather(-1, teacher.ids)).sum(-1)
    if teacher.ids.shape[-1] < logits.shape[-1]:
        others = logits.scatter(-1, teacher.ids, float("-inf"))
        cross = cross + tail_probability * others.logsumexp(-1)
    kl: Tensor = logits.logsumexp(-1) - cross + negative_entropy
    return kl


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


@dataclass(frozen=True, slots=True)
class TokenWeights:
    """The weight of each loss at every token: two tensors (N,) that sum to one at each token."""

    kl: Tensor
    cross_entropy: Tensor

    def __getitem__(self, where: slice | Tensor) -> "TokenWeights":
        return TokenWeights(self.kl[where], self.cross_entropy[where])

    def to(self, device: torch.device) -> "TokenWeights":
        return TokenWeights(self.kl.to(device), self.cross_entropy.to(device))


def token_weights(objective: Objective, cross_entropy_weight: float, follows_teacher: Tensor) -> TokenWeights:
    """Return the weights of N tokens. `follows_teacher` (N,) bool: whether the teacher's distribution holds there.

    Edited spans, the tokens after them and answers without a teacher distribution carry only cross-entropy: forward KL
    pulls towards the teacher along any text, and would undo the edit.
    """
    share = {"mix": cross_entropy_weight, "forward_kl": 0.0, "cross_entropy": 1.0}[objective]
    kl = follows_teacher.float() * (1.0 - share)
    return TokenWeights(kl, 1.0 - kl)


def mixed_loss(
    student_logits: Tensor, target_ids: Tensor, teacher: TeacherTopK | None, weights: TokenWeights, held: Tensor
) -> Tensor:
    """Return the weighted sum of both losses at each of N tokens, (N,) in nats; the caller sums and normalises.

    `held` (N,) bool says which KL weights are not zero. It is on the CPU, because reading it from a GPU would wait for
    the GPU. Without `teacher`, every token is cross-entropy. Rows of `teacher` whose KL weight is zero are never read.
    """
    loss = weights.cross_entropy * cross_entropy(student_logits, target_ids)
    if teacher is None or not held.any():
        return loss
    if held.all():  # the usual case: the logits are read in place, not copied
        return loss + weights.kl * forward_kl_top_k(student_logits, teacher)
    where = torch.nonzero(held).squeeze(-1).to(loss.device)
    kl = forward_kl_top_k(student_logits[where], teacher[where])
    return loss.index_add(0, where, weights.kl[where] * kl)
