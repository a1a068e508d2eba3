"""Each model family from answers to a release: the same token ids in every stage, and the same student at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoTokenizer

import engine.evaluation.job
import engine.training.job
from engine.curation.automatic import check_examples
from engine.curation.freeze import freeze
from engine.evaluation.arms import LocalArm
from engine.jobs.context import JobContext
from engine.model.auto_class import auto_class
from engine.model.chat_format import ChatFormat
from engine.model.load import load_base, quiet_libraries, with_adapter
from engine.model.local_model import LocalModel
from engine.paths import Home
from engine.project import Project
from engine.records.dataset import Dataset
from engine.records.example import Example, ExampleKey
from engine.records.options import EvaluateOptions, ProjectSettings, TrainOptions
from engine.records.prompt import Message, Prompt
from engine.records.question import Question, Split
from engine.records.release import ReleaseKind
from engine.records.rule import Check, Rule
from engine.records.run import TrainingConfig
from engine.serving.catalog import Catalog
from engine.serving.conversation import Conversation
from engine.training.batches import make_batch
from tests.families import FAMILIES
from tests.tiny import make_tiny_family
from tests.trained import release, use_one_thread

TURNS = (Message("user", "Is it open?"), Message("assistant", "Yes. Ask first."))
SYSTEM = Message("system", "You are a help desk of few words, and you end every answer with: Ask first.")
SPLITS: tuple[Split, ...] = (*("train",) * 6, "validation", "validation", "test", "test")


@pytest.fixture(scope="module", autouse=True)
def single_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_one_thread(patch)
        yield


# Also fully fine-tuned: a tied head and biased projections, unusual norms, fused projections, experts.
FULLY_TUNED = ("qwen2.5", "gemma3", "phi3", "qwen3-moe")


@pytest.fixture(scope="module", params=[*FAMILIES, *(f"{name} full" for name in FULLY_TUNED)])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose base is of the family: answered, frozen, trained for a few steps and evaluated."""
    name, _, full = request.param.partition(" ")
    family = FAMILIES[name]
    root = tmp_path_factory.mktemp("families")
    base = make_tiny_family(root / name, family)
    home = Home.locate(root / "home")
    with Project.create(home.projects / "p", ProjectSettings(student_base=str(base)), home) as created:
        prompt = Prompt((SYSTEM, *TURNS) if family.takes_system else TURNS)
        created.prompts.set(prompt)
        created.rules.add([Rule(0, "The closing.", Check("ends_with", text="Ask first."))])
        created.questions.add(Question((Message("user", f"Hi, may I use number {n}?"),)) for n in range(len(SPLITS)))
        created.questions.set_splits(dict(enumerate(SPLITS, start=1)))
        answer_all(created, ChatFormat.load(base), prompt)
        check_examples(created)
        dataset = freeze(created, ChatFormat.load(base))
        config = TrainingConfig(
            base=str(base), top_k=8, lora_rank=4, lora_alpha=8, learning_rate=1e-2, epochs=2.0, batch_rows=3,
            micro_batch_rows=3, evaluations=1, device="cpu", dtype="float32", adapter="full" if full else "lora",
        )  # fmt: skip
        run = created.runs.add(dataset.sha256, config)
        run_job(created, TrainOptions(run.id))
        run_job(created, EvaluateOptions(run_id=run.id, samples=1, max_answer_tokens=6, batch_rows=4))
        yield created


def answer_all(project: Project, chat: ChatFormat, prompt: Prompt) -> None:
    for question in project.questions.all():
        text = f"Number {question.id} is yours. Ask first."
        key = ExampleKey(prompt.sha256, question.id, str(chat.folder), 0)
        ids = tuple(chat.completion_ids(text))
        project.examples.add([Example(key, text, "stop", "local", token_ids=ids)])


def run_job(project: Project, options: TrainOptions | EvaluateOptions) -> None:
    context = JobContext(project, project.jobs.add(options))
    try:
        if isinstance(options, TrainOptions):
            engine.training.job.run(context, options)
        else:
            engine.evaluation.job.run(context, options)
    finally:
        context.close()


def base_of(project: Project) -> Path:
    return Path(project.settings.read().student_base)


def dataset_of(project: Project) -> Dataset:
    latest = project.datasets.latest()
    assert latest is not None
    return project.datasets.get(latest.sha256)


def student(project: Project) -> LocalModel:
    return with_adapter(load_base(base_of(project), device="cpu", dtype="float32"), project.folder / "runs/1/adapter")


def test_training_evaluation_and_serving_use_the_same_token_ids(project: Project) -> None:
    local, dataset, questions = student(project), dataset_of(project), {q.id: q for q in project.questions.all()}
    catalog = Catalog(project.folder, project.home, str(base_of(project)))
    conversation = Conversation(local.format)
    for row in dataset.rows:
        question = questions[row.question_id]
        batch = make_batch([row])
        trained = batch.input_ids[0].tolist()[: len(row.question_ids)]
        evaluated = LocalArm("distilled", local, None, adapter=True).context_ids(question)
        served = {
            name: conversation.ids(catalog.find(name), question.messages)[0]
            for name in ("run-1", "unprompted", "prompted")
        }
        assert list(row.question_ids) == trained == evaluated == served["run-1"] == served["unprompted"]
        prompted = LocalArm("prompted", local, project.prompts.require(), adapter=False).context_ids(question)
        assert prompted == served["prompted"]
        assert len(prompted) > len(evaluated)
        assert batch.target_ids.tolist() == list(row.completion_ids)


def test_targets_include_the_stop_token_but_no_thinking(project: Project) -> None:
    chat, dataset = ChatFormat.load(base_of(project)), dataset_of(project)
    stop = chat.completion_ids("")[-1]
    targets = make_batch(dataset.rows).target_ids.tolist()
    assert targets.count(stop) == len(dataset.rows)
    assert "think" not in chat.decode([token for token in targets if token not in chat.stop_ids])


def test_training_lowers_the_loss_and_every_arm_is_evaluated(project: Project) -> None:
    run = project.runs.get(1)
    assert run.state == "done"
    assert run.curve[-1].train_loss < run.curve[0].train_loss - 0.1
    evaluation = project.evaluations.latest(1)
    assert evaluation is not None
    assert {name for name, _ in evaluation.arms} == {"unprompted", "prompted", "distilled"}


def logits(model: torch.nn.Module, ids: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float()
    return found


def test_releases_match_the_student_in_plain_transformers(project: Project) -> None:
    dataset = dataset_of(project)
    ids = [*dataset.rows[0].question_ids, *dataset.rows[0].completion_ids]
    expected = logits(student(project).base, ids)
    plain = logits(load_base(base_of(project), device="cpu", dtype="float32").base, ids)
    assert (expected - plain).abs().max() > 0.01  # otherwise the comparisons below prove nothing
    kinds: tuple[ReleaseKind, ...] = ("adapter", "merged")
    folders = {kind: project.folder / release(project, kind).folder for kind in kinds}
    with quiet_libraries():
        merged = auto_class(folders["merged"]).from_pretrained(folders["merged"], dtype=torch.float32)
        adapted = PeftModel.from_pretrained(
            auto_class(base_of(project)).from_pretrained(base_of(project)), folders["adapter"]
        )
    torch.testing.assert_close(logits(merged, ids), expected, rtol=1e-3, atol=2e-3)
    torch.testing.assert_close(logits(adapted, ids), expected, rtol=1e-3, atol=2e-3)
    chat = ChatFormat.load(base_of(project))
    assert sorted(merged.generation_config.eos_token_id) == sorted(chat.stop_ids)
    question = project.questions.all()[0]
    for folder in folders.values():
        rendered = AutoTokenizer.from_pretrained(folder).apply_chat_template(
            [{"role": "user", "content": question.text}], add_generation_prompt=True, return_dict=False
        )
        assert list(rendered) == chat.question_ids(question.messages)
        card = (folder / "README.md").read_text()
        assert all(" ".join(note.split()) in card for note in chat.notes)


def test_tied_weights_are_neither_adapted_nor_saved_twice(project: Project) -> None:
    base = load_base(base_of(project), device="cpu", dtype="float32").base
    tied = base.get_output_embeddings().weight is base.get_input_embeddings().weight
    with safe_open(project.folder / "runs/1/adapter/adapter_model.safetensors", framework="pt") as adapter:
        assert not any("head" in name or "embed" in name for name in adapter.keys())  # noqa: SIM118
    release(project, "merged", project.folder / "once")
    with safe_open(project.folder / "once/model.safetensors", framework="pt") as merged:
        names = set(merged.keys())
        embedding = next(name for name in names if "embed_tokens" in name)
        assert torch.equal(merged.get_tensor(embedding), base.get_input_embeddings().weight)
    assert ("lm_head.weight" in names) == (not tied)
