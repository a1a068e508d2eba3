"""What each loss and stage adds on the demo's data: rules passed, held-out divergence, forgetting, time.

    uv run python -m tests.benchmarks.methods --home DIR [--quick] [--only NAME …] [--json FILE]

The methods train one after another on one frozen dataset, with the demo's configuration except for what the name says,
and answer the same held-out questions with the same seeds. The home is kept, so runs trained in it are not trained
again. `KL` is the divergence from the prompted base along its own answers, `general` that from the unprompted base
along its answers to general questions that no run has seen, and `back` is `KL` of the student with the prompt in
context. All are exact, in nats per token.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from engine.curation.automatic import check_examples
from engine.curation.freeze import freeze
from engine.demo import FULL, QUICK, open_demo
from engine.evaluation.statistics import rate_of_samples
from engine.model.chat_format import ChatFormat
from engine.model.decode import decode
from engine.model.load import adapter_off, load_base, with_adapter
from engine.model.local_model import LocalModel
from engine.model.locate import locate_base
from engine.model.prompt_cache import PromptCache
from engine.model.score import DivergenceRow, divergence
from engine.paths import Home
from engine.project import Project
from engine.questions.general import general_questions
from engine.records.job import LIVE_STATES
from engine.records.options import JobOptions, TrainOptions
from engine.records.prompt import Prompt
from engine.records.question import Question
from engine.records.rule import passes_all
from engine.records.run import Run, TrainingConfig
from engine.rules.checks import check_answer

SAMPLES = 3  # at the serving temperature
WARM = 0.7
ANSWER_TOKENS = 48


@dataclass(frozen=True, slots=True)
class Row:
    """One method's figures. Rates are shares of answers that pass all rules."""

    method: str
    rules_greedy: float
    rules_warm: float
    rules_warm_low: float
    rules_warm_high: float
    kl: float
    general_kl: float
    back_kl: float  # with the prompt in context again
    steps: int
    train_s: float


def methods(config: TrainingConfig) -> dict[str, TrainingConfig]:
    """The configurations by name. The second stage takes half as long as the first."""
    plain = replace(config, general_fraction=0.0, cross_entropy_weight=0.3)
    general = replace(plain, general_fraction=0.1)
    return {
        "cross-entropy": replace(plain, objective="cross_entropy"),
        "forward KL": replace(plain, objective="forward_kl"),
        "mix, 0.3 of the text": plain,
        "0.3, then on-policy": replace(plain, on_policy_steps=24, on_policy_batch_rows=32),
        "…, with the term": replace(plain, on_policy_steps=24, on_policy_batch_rows=32, prompt_back_weight=0.1),
        "mix, 0.7 of the text": replace(plain, cross_entropy_weight=0.7),
        "0.3, twice as long": replace(plain, epochs=2 * config.epochs),
        "10 % general, 0.3": general,
        "10 % general, 0.5": replace(general, cross_entropy_weight=0.5),
        "10 % general, 0.7": replace(general, cross_entropy_weight=0.7),
    }


def run_job(project: Project, options: JobOptions) -> None:
    """Start a job and wait until it ends."""
    job = project.start_job(options)
    while (state := project.jobs.get(job.id).state) in LIVE_STATES:
        time.sleep(1)
    assert state == "done", project.jobs.get(job.id).note


def prepare(home: Home, *, quick: bool) -> tuple[Project, str]:
    """The demo's project with answers, and the hash of its frozen dataset."""
    project = open_demo(home, quick=quick, fresh=False)
    if (found := project.datasets.latest()) is not None:
        return project, found.sha256
    run_job(project, (QUICK if quick else FULL).generate)
    check_examples(project)
    base = locate_base(project.settings.read().student_base, home)
    return project, freeze(project, ChatFormat.load(base)).sha256


def trained_run(project: Project, dataset_sha256: str, config: TrainingConfig) -> Run:
    """The run of this configuration, trained now if there is none yet."""
    for run in project.runs.all():
        if (run.dataset_sha256, run.config, run.state) == (dataset_sha256, config, "done"):
            return run
    run = project.runs.add(dataset_sha256, config)
    run_job(project, TrainOptions(run.id))
    return project.runs.get(run.id)


class Evaluator:
    """Asks every student the same questions: the project's held-out ones and general ones."""

    def __init__(self, project: Project, config: TrainingConfig) -> None:
        self._project = project
        self._config = config
        self._rules = project.rules.all()
        version = project.prompts.current()
        assert version is not None
        self._questions = [q for q in project.questions.all() if q.split == "test"]
        general = general_questions("test")
        base = self._base()
        self._held_out = _base_answers(base, version.prompt, self._questions)
        self._general = _base_answers(base, Prompt(()), general)
        self._prompt = version.prompt

    def measure(self, method: str, run: Run) -> Row:
        """Measure one line of the table."""
        student = with_adapter(self._base(), self._project.folder / run.folder / "adapter")
        greedy = self._passed(student, 0.0, 1)
        warm = self._passed(student, WARM, SAMPLES)
        interval = rate_of_samples((at // SAMPLES, passed) for at, passed in enumerate(warm))
        prompt_ids = student.format.prompt_prefix_ids(self._prompt, single_turn=True)
        student_prefix = PromptCache.build(student, prompt_ids)
        with adapter_off(student):
            prefix = PromptCache.build(student, prompt_ids)
        with_prompt = [replace(row, question_ids=row.prompted_ids) for row in self._held_out]
        return Row(
            method, sum(greedy) / len(greedy), sum(warm) / len(warm), interval.low, interval.high,
            _mean(divergence(student, self._held_out, prefix)[0]), _mean(divergence(student, self._general)[0]),
            _mean(divergence(student, with_prompt, prefix, student_prefix=student_prefix)[0]), run.step, run.train_s,
        )  # fmt: skip

    def _base(self) -> LocalModel:
        return load_base(locate_base(self._config.base, self._project.home), device=self._config.device)

    def _passed(self, student: LocalModel, temperature: float, samples: int) -> list[bool]:
        requests = [(question, sample) for question in self._questions for sample in range(samples)]
        decoded = decode(
            student,
            [student.format.question_ids(question.messages) for question, _ in requests],
            temperature=temperature,
            max_new_tokens=ANSWER_TOKENS,
            seeds=[1_000 * question.id + sample for question, sample in requests],
        )
        return [
            one.finish_reason == "stop"
            and passes_all(check_answer(self._rules, student.format.decode(one.ids), question))
            for (question, _), one in zip(requests, decoded, strict=True)
        ]


def _base_answers(base: LocalModel, prompt: Prompt, questions: Sequence[Question]) -> list[DivergenceRow]:
    """The base's own answers after `prompt`, with which every student is compared."""
    contexts = [base.format.prompted_ids(prompt, q.messages) for q in questions]
    prefix = PromptCache.build(base, base.format.prompt_prefix_ids(prompt, single_turn=True))
    decoded = decode(
        base,
        contexts,
        prefix=prefix,
        temperature=WARM,
        max_new_tokens=ANSWER_TOKENS,
        seeds=list(range(len(contexts))),
    )
    return [
        DivergenceRow(context, base.format.question_ids(question.messages), one.ids)
        for context, question, one in zip(contexts, questions, decoded, strict=True)
        if one.ids
    ]


def _mean(rows: Sequence[torch.Tensor]) -> float:
    return float(torch.cat(list(rows)).double().mean())


def main() -> None:
    """Train what is missing, measure all, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    home = Home.locate(args.home)
    project, dataset_sha256 = prepare(home, quick=args.quick)
    with project:
        config = (QUICK if args.quick else FULL).training
        assert isinstance(config, TrainingConfig), "the demo chooses no preset"
        configurations = methods(config)
        evaluator = Evaluator(project, config)
        rows: list[Row] = []
        print(f"{'method':<22}{'T = 0':>7}{'T = 0.7':>9}{'':>12}", end="")
        print(f"{'KL':>8}{'general':>9}{'back':>8}{'steps':>7}{'seconds':>9}")
        for name in args.only or configurations:
            row = evaluator.measure(name, trained_run(project, dataset_sha256, configurations[name]))
            rows.append(row)
            interval = f"{row.rules_warm_low:.0%}–{row.rules_warm_high:.0%}"
            print(
                f"{row.method:<22}{row.rules_greedy:>7.0%}{row.rules_warm:>9.0%}{interval:>12}{row.kl:>8.3f}"
                f"{row.general_kl:>9.3f}{row.back_kl:>8.3f}{row.steps:>7}{row.train_s:>9.0f}",
                flush=True,
            )
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))


if __name__ == "__main__":
    main()
