"""The model card of a release: commands, metadata, figures and licence."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from engine.project import Project
from engine.records.evaluation import Evaluation
from engine.records.release import ReleaseKind
from engine.releases.card import BaseModel, describe_base, model_card
from tests.engine.evaluation.handmade_evaluations import evaluation
from tests.trained import release

KINDS: tuple[ReleaseKind, ...] = ("adapter", "merged")


def test_card_does_not_name_a_command_that_vllm_refuses(project: Project, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "glm4"}')
    described, run = describe_base(str(tmp_path), tmp_path, "AutoModelForCausalLM"), project.runs.get(1)
    card = model_card("adapter", described, run, None)
    assert "vllm serve" not in card
    assert "fused layers" in card
    assert "vllm serve" in model_card("merged", described, run, None)


def test_card_of_a_dora_adapter_omits_vllm(project: Project, base: Path) -> None:
    run = project.runs.get(1)
    dora = replace(run, config=replace(run.config, adapter="dora"))
    described = describe_base(str(base), base, "AutoModelForCausalLM")
    assert "vllm serve" in model_card("adapter", described, run, None)
    card = model_card("adapter", described, dora, None)
    assert "vllm serve" not in card
    assert "- DoRA: rank 4" in card
    assert "merged" in card
    assert "vllm serve" in model_card("merged", described, dora, None)


def test_card_of_a_full_fine_tuning_states_what_was_trained(project: Project, base: Path) -> None:
    run = project.runs.get(1)
    full = replace(run, config=replace(run.config, adapter="full"))
    card = model_card("adapter", describe_base(str(base), base, "AutoModelForCausalLM"), full, None)
    assert "- Trained: every layer except" in card
    assert "vllm serve" not in card
    assert "merged" in card
    assert "lora" not in card.lower()


def test_card_of_an_adapter_on_a_4_bit_base_loads_the_base_in_4_bits(project: Project, base: Path) -> None:
    run = project.runs.get(1)
    four_bit = replace(run, config=replace(run.config, quantize_base="nf4"))
    described = describe_base(str(base), base, "AutoModelForCausalLM")
    card = model_card("adapter", described, four_bit, None)
    assert 'bnb_4bit_quant_type="nf4"' in card
    assert "vllm serve" not in card
    assert "on the base in four bits (NF4)" in card
    assert "four bits" not in model_card("adapter", described, run, None)
    assert "vllm serve ." in model_card("merged", described, four_bit, None)


@pytest.mark.parametrize("measured", [evaluation(), evaluation(None), evaluation(teacher=True), None])
@pytest.mark.parametrize("kind", KINDS)
def test_card_has_valid_metadata_and_the_measured_figures(
    project: Project, base: Path, kind: ReleaseKind, measured: Evaluation | None
) -> None:
    card = model_card(kind, describe_base(str(base), base, "AutoModelForCausalLM"), project.runs.get(1), measured)
    _, front, body = card.split("---\n", 2)
    metadata = yaml.safe_load(front)
    assert metadata["base_model"] == "tiny-base"
    assert metadata["library_name"] == ("peft" if kind == "adapter" else "transformers")
    assert "license" not in metadata  # this base states no license
    assert project.runs.get(1).dataset_sha256 in body
    assert ("87.5 (74–95)" in body) == (measured is not None)
    assert "Start with the risk score" not in body
    assert ("Not evaluated on held-out questions yet" in body) == (measured is None)
    assert ("0.973 (0.912 to 1.040)" in body) == (measured is not None and measured.recovered is not None)


def test_card_reports_the_evaluation_on_held_out_questions(project: Project, tmp_path: Path) -> None:
    project.evaluations.add(evaluation())
    project.evaluations.add(replace(evaluation(), split="train", questions=7))
    made = release(project, "adapter", tmp_path / "out")
    card = (Path(made.folder) / "README.md").read_text(encoding="utf-8")
    assert f"{evaluation().questions} held-out questions" in card


def test_licence_is_the_one_in_the_base_card(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    assert describe_base(str(tmp_path), tmp_path, "AutoModelForCausalLM").license == "mit"
    assert describe_base("owner/name", tmp_path, "AutoModelForCausalLM").name == "owner/name"
    assert describe_base("starter", tmp_path, "AutoModelForCausalLM").license == "apache-2.0"
    for text in (
        "no metadata", "---\n[: broken\n---\n", "---\nlicense: [1]\n---\n",
        '---\nlicense: "mit\\n\\n# Measured\\n\\n<script>"\n---\n',
    ):  # fmt: skip
        (tmp_path / "README.md").write_text(text)
        assert describe_base(str(tmp_path), tmp_path, "AutoModelForCausalLM").license is None


def test_commands_in_the_card_quote_the_name_of_the_base(project: Project) -> None:
    card = model_card("adapter", BaseModel('a "b" c', None), project.runs.get(1), None)
    assert r'from_pretrained("a \"b\" c")' in card
    assert """vllm serve 'a "b" c' --enable-lora --max-lora-rank 8 """ in card  # vLLM does not accept 4
