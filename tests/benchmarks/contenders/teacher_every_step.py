"""Side: a plain loop that runs the prompted teacher in every step, as TRL's self-distillation trainer does.

Adapter, batches, learning rates and clipping are this program's. Each step runs the base over prompt, question and
answer (adapter off, no cache) and the student over question and answer, both with the output head only on the answer's
positions, and takes the forward KL over the whole vocabulary. Uses only torch and transformers, attention by SDPA.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn import functional

from engine.model.local_model import LocalModel
from engine.model.shared_attention import ATTENTION
from engine.training.schedule import learning_rate_at, schedule_of
from engine.training.student import trained_parameters, with_new_adapter
from tests.benchmarks.contenders.child import clocked, serve
from tests.benchmarks.contenders.held_out import held_out_kl
from tests.benchmarks.contenders.loading import load
from tests.benchmarks.contenders.training import TrainingSide


class TeacherInEveryStep(TrainingSide):
    """Trained with the prompted teacher's forward pass in every step."""

    def measure(self) -> dict[str, float]:
        self.student = None
        local = load(self.options)
        prompted = {key: local.format.prompted_ids(self.prompt, messages) for key, messages in self.messages.items()}
        local.base.set_attn_implementation("sdpa")
        with clocked() as measured:
            student = with_new_adapter(local, self.config)
            self._train(student, prompted)
        local.base.set_attn_implementation(ATTENTION)
        self.student = student
        return measured

    def _train(self, student: LocalModel, prompted: dict[int, list[int]]) -> None:
        config, model = self.config, cast("PeftModel", student.model)
        schedule, parameters = schedule_of(self.rows, config), trained_parameters(student)
        optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=0.0, fused=True)
        model.train()
        for step in range(schedule.steps):
            rows = [self.rows[index] for index in schedule.rows_at(step)]
            answers = [row.completion_ids for row in rows]
            with torch.no_grad(), model.disable_adapter():
                teacher, _ = answer_logits(model, [prompted[row.question_id] for row in rows], answers)
            logits, mask = answer_logits(model, [row.question_ids for row in rows], answers)
            kl = functional.kl_div(
                logits.float().log_softmax(-1), teacher.float().log_softmax(-1), reduction="none", log_target=True
            ).sum(-1)
            ((kl * mask).sum() / mask.sum()).backward()
            torch.nn.utils.clip_grad_norm_(parameters, config.max_gradient_norm)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate_at(step, schedule.steps, config.learning_rate, config.warmup_fraction)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def report(self) -> dict[str, object]:
        assert self.student is not None
        return {"kl": held_out_kl(self.student, self.prompt, Path(str(self.options["material"])))}


def answer_logits(
    model: PeftModel, contexts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
) -> tuple[Tensor, Tensor]:
    """Logits (B, T, V) of the answers' tokens, and the mask (B, T) of those that are not padding."""
    before, after = max(map(len, contexts)), max(map(len, answers))
    pairs = list(zip(contexts, answers, strict=True))
    ids = [[0] * (before - len(c)) + [*c, *a] + [0] * (after - len(a)) for c, a in pairs]
    real = [[0] * (before - len(c)) + [1] * (len(c) + len(a)) + [0] * (after - len(a)) for c, a in pairs]
    mask = torch.tensor(real)
    logits: Tensor = model(
        input_ids=torch.tensor(ids),
        attention_mask=mask,
        position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
        use_cache=False,
        logits_to_keep=after + 1,
    ).logits
    return logits[:, :-1], mask[:, before:]


if __name__ == "__main__":
    serve(TeacherInEveryStep)
