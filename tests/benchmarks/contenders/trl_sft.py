"""Side: TRL's SFTTrainer on the same ids with the same LoRA. Runs in a separate environment; reads our JSON."""

import json
import tempfile
import time
from pathlib import Path
from typing import cast

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

from tests.benchmarks.contenders.child import clocked, serve
from tests.benchmarks.contenders.material import Row, read_rows


class StepClock(TrainerCallback):
    """Records when the first step started and the last one ended, in CPU-seconds."""

    def on_train_begin(self, *_: object, **__: object) -> None:
        self.started = time.process_time()

    def on_step_end(self, *_: object, **__: object) -> None:
        self.ended = time.process_time()


class Sft:
    """One epoch over `rows` answers, cross-entropy on the completions, with `flags` of SFTConfig."""

    def __init__(self, options: dict[str, object]) -> None:
        self.options = options
        self.flags = cast("dict[str, object]", options["flags"])
        torch.set_num_threads(int(str(options["threads"])))
        self.tokenizer = AutoTokenizer.from_pretrained(options["model"])
        self.rows = read_rows(Path(str(options["material"])), int(str(options["rows"])))
        if self.flags.get("train_sampling_strategy") == "sequential":
            self.rows.sort(key=lambda row: -len(row.question_ids) - len(row.completion_ids))

    def trainer(self, scratch: str, *, adapter: str | None = None) -> SFTTrainer:
        model = AutoModelForCausalLM.from_pretrained(self.options["model"])
        lora = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
        if adapter is not None:
            model = PeftModel.from_pretrained(model, adapter, is_trainable=True)
        return SFTTrainer(
            model=model,
            args=SFTConfig(
                output_dir=scratch,
                num_train_epochs=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=True,
                **self.flags,
            ),
            train_dataset=Dataset.from_list([as_example(row) for row in self.rows]),
            processing_class=self.tokenizer,
            peft_config=None if adapter is not None else lora,
        )

    def measure(self) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as scratch:
            trainer, steps = self.trainer(scratch), StepClock()
            trainer.add_callback(steps)
            with clocked() as measured:
                trainer.train()
        tokens = sum(len(row.question_ids) + len(row.completion_ids) - 1 for row in self.rows)
        steps_s = steps.ended - steps.started
        return {**measured, "steps_cpu_s": steps_s, "tokens_per_cpu_s": tokens / steps_s}

    def report(self) -> dict[str, object]:
        """Loss and gradient norm of the batches that the other side wrote, with its adapter."""
        folder = Path(str(self.options["proof"]))
        by_number = {row.number: row for row in self.rows}
        losses, norms = [], []
        with tempfile.TemporaryDirectory() as scratch:
            trainer = self.trainer(scratch, adapter=str(folder))
            trainer.model.train()
            for numbers in json.loads((folder / "batches.json").read_text()):
                batch = trainer.data_collator([as_example(by_number[number]) for number in numbers])
                with trainer.compute_loss_context_manager():
                    loss = trainer.compute_loss(trainer.model, dict(batch))
                loss.backward()
                norms.append(float(torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), float("inf"))))
                trainer.model.zero_grad(set_to_none=True)
                losses.append(float(loss))
        return {"losses": losses, "norms": norms}


def as_example(row: Row) -> dict[str, list[int]]:
    """The ids unchanged, with the loss only on the completion."""
    ids = [*row.question_ids, *row.completion_ids]
    return {"input_ids": ids, "labels": [-100] * len(row.question_ids) + list(row.completion_ids)}


if __name__ == "__main__":
    serve(Sft)
