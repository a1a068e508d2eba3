"""Model families as tiny random models: the architecture, the special tokens and the chat template of each.

The templates are written for these tests, in the form that the families publish. `free` is what one writes for "Hi".
"""

from dataclasses import dataclass, field
from typing import Literal

_CHATML_TURNS = (
    "{%- for message in messages %}{%- if message.role != 'system' or not loop.first %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endif %}{%- endfor %}"
)
_CHATML_SYSTEM = (
    "{%- if messages[0].role == 'system' %}{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}"
)
_CHATML_FREE = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
_LLAMA3 = (
    "{{- bos_token }}{%- if not date_string is defined %}{%- if strftime_now is defined %}"
    "{%- set date_string = strftime_now('%d %b %Y') %}{%- else %}{%- set date_string = '26 Jul 2024' %}{%- endif %}"
    "{%- endif %}{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] | trim %}"
    "{%- set messages = messages[1:] %}{%- else %}{%- set system = '' %}{%- endif %}"
    "{{- '<|start_header_id|>system<|end_header_id|>\\n\\nCutting Knowledge Date: December 2023\\nToday Date: ' }}"
    "{{- date_string + '\\n\\n' + system + '<|eot_id|>' }}{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
    "{{- message['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"
)
_QWEN25 = (
    _CHATML_SYSTEM + "{%- else %}{{- '<|im_start|>system\\nYou are Qwen, a helpful assistant.<|im_end|>\\n' }}"
    "{%- endif %}" + _CHATML_TURNS + "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)  # fmt: skip
# An answer keeps its thinking only until the next user message; `enable_thinking` false writes an empty block.
_QWEN3 = (
    _CHATML_SYSTEM + "{%- endif %}{%- set ns = namespace(last=-1) %}{%- for message in messages %}"
    "{%- if message.role == 'user' %}{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}"
    "{%- for message in messages %}{%- if message.role == 'assistant' %}"
    "{%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}"
    "{%- set thought = message.content.split('</think>')[0] if '</think>' in message.content else '' %}"
    "{{- '<|im_start|>assistant\\n' }}{%- if loop.index0 > ns.last %}"
    "{{- '<think>\\n' + thought.split('<think>')[-1].strip('\\n') + '\\n</think>\\n\\n' }}{%- endif %}"
    "{{- content + '<|im_end|>\\n' }}{%- elif message.role == 'user' or not loop.first %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}"
    "{%- endif %}"
)
_QWEN3_THINKING = _QWEN3[: _QWEN3.index("{%- if add_generation_prompt")] + (
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}\n"
)
_NO_THOUGHTS = "{{- '<think>\\n\\n</think>\\n\\n' }}"
_QWEN35 = _QWEN3.replace(_NO_THOUGHTS, _NO_THOUGHTS + "{%- else %}{{- '<think>\\n' }}")
_GEMMA_TURNS = (
    "{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}"
    "{%- endif %}{%- set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
)
_GEMMA2 = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{%- for message in messages %}" + _GEMMA_TURNS
    + "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{%- endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)  # fmt: skip
_GEMMA3 = (
    "{{ bos_token }}{%- if messages[0]['role'] == 'system' %}{%- set first = messages[0]['content'] + '\n\n' %}"
    "{%- set rest = messages[1:] %}{%- else %}{%- set first = '' %}{%- set rest = messages %}{%- endif %}"
    "{%- for message in rest %}" + _GEMMA_TURNS
    + "{{ '<start_of_turn>' + role + '\n' + (first if loop.first else '') }}"
    "{{- message['content'] | trim + '<end_of_turn>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{%- endif %}"
)  # fmt: skip
# Only the next turn ends an answer. Without thinking, an answer is behind the end of an empty thought.
_GLM = (
    "[gMASK]<sop>{%- for message in messages %}{%- if message.role == 'assistant' %}"
    "{{- '<|assistant|></think>' + message.content.split('</think>')[-1].strip() }}"
    "{%- else %}{{- '<|' + message.role + '|>' + message.content }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|assistant|>' }}"
    "{{- '</think>' if enable_thinking is defined and not enable_thinking else '<think>' }}{%- endif %}"
)
_MISTRAL_ALTERNATE = (
    "{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{- raise_exception('roles must alternate user/assistant') }}{%- endif %}"
)
# The system message is part of the last user turn.
_MISTRAL = (
    "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] %}{%- set rest = messages[1:] %}"
    "{%- else %}{%- set rest = messages %}{%- endif %}{{- bos_token }}{%- for message in rest %}" + _MISTRAL_ALTERNATE
    + "{%- if message['role'] == 'assistant' %}{{- message['content'] + eos_token }}"
    "{%- elif loop.last and system is defined %}{{- '[INST]' + system + '\\n\\n' + message['content'] + '[/INST]' }}"
    "{%- else %}{{- '[INST]' + message['content'] + '[/INST]' }}{%- endif %}{%- endfor %}"
)  # fmt: skip
_MISTRAL_SMALL = (
    "{%- set default = 'You are Mistral Small.\\nThe current date is ' + strftime_now('%Y-%m-%d') + '.' %}"
    "{{- bos_token }}{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] %}"
    "{%- set rest = messages[1:] %}{%- else %}{%- set system = default %}{%- set rest = messages %}{%- endif %}"
    "{{- '[SYSTEM_PROMPT]' + system + '[/SYSTEM_PROMPT]' }}{%- for message in rest %}" + _MISTRAL_ALTERNATE
    + "{%- if message['role'] == 'assistant' %}{{- message['content'] + eos_token }}"
    "{%- else %}{{- '[INST]' + message['content'] + '[/INST]' }}{%- endif %}{%- endfor %}"
)  # fmt: skip
_PHI3 = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
_PHI4 = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '<|im_sep|>' + message['content'] }}"
    "{{- '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"
)

# How a text becomes pieces: bytes as letters, or letters with a mark for each space, and (`prepend`) one at the front.
Pieces = Literal["bytes", "marks", "prepend"]


@dataclass(frozen=True, slots=True)
class Family:
    """What makes a model one of its family. `stop` ends an answer; decoding ends at every one of `ends`."""

    config: str  # the name of a configuration class of transformers
    special: tuple[str, ...]
    template: str
    free: str  # what the student reads for the question "Hi"
    stop: str
    ends: tuple[str, ...]
    bos: str | None = None
    eos: str | None = None  # the tokenizer's; None: `stop`
    default: str | None = None  # the system text that the template adds by itself
    takes_system: bool = True
    thinks: bool = False
    pieces: Pieces = "bytes"
    strips_right: bool = False  # its special tokens strip the spaces after them
    unadapted: tuple[str, ...] = ()  # the last words of linear layers that get no adapter
    options: dict[str, object] = field(default_factory=dict)
    # If it also takes images: the configuration class of the whole, the options of what reads them, and the
    # configuration of what prepares them.
    whole: str | None = None
    vision: dict[str, object] = field(default_factory=dict)
    processor: dict[str, object] = field(default_factory=dict)


_CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_QWEN: dict[str, object] = {"tie_word_embeddings": True}
_WINDOW: dict[str, object] = {"sliding_window": 12}
LATENT_ATTENTION: dict[str, object] = {  # keys and values from a shorter vector, of different widths; with experts
    "num_key_value_heads": 4, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1,
    "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16, "v_head_dim": 8,
    "first_k_dense_replace": 1, "moe_intermediate_size": 16,
}  # fmt: skip
_IMAGE_TOKENS = ("[IMG]", "[IMG_BREAK]", "[IMG_END]")
VISION: dict[str, object] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
_PIXTRAL: dict[str, object] = {
    "processor_class": "PixtralProcessor",
    "image_processor_type": "PixtralImageProcessor",
    "patch_size": {"height": 14, "width": 14},
    "size": {"longest_edge": 28},
}
GATED_DELTA_NET: dict[str, object] = {  # every other layer
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
}
FAMILIES = {
    "llama3": Family(
        "LlamaConfig",
        ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
         "<|eom_id|>", "<|eot_id|>"),
        _LLAMA3,
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|>",
        ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"),
        bos="<|begin_of_text|>",
        default="Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024",
        options={"tie_word_embeddings": True},
    ),
    "qwen2.5": Family(
        "Qwen2Config", _CHATML, _QWEN25, _CHATML_FREE, "<|im_end|>", ("<|im_end|>", "<|endoftext|>"),
        default="You are Qwen, a helpful assistant.", options=_QWEN,
    ),
    "qwen3": Family(
        "Qwen3Config", _CHATML, _QWEN3, _CHATML_FREE + "<think>\n\n</think>\n\n", "<|im_end|>",
        ("<|im_end|>", "<|endoftext|>"), thinks=True, options=_QWEN,
    ),
    "qwen3-thinking": Family(
        "Qwen3Config", _CHATML, _QWEN3_THINKING, _CHATML_FREE + "<think>\n\n</think>\n\n", "<|im_end|>",
        ("<|im_end|>", "<|endoftext|>"), thinks=True,
    ),
    "qwen3-moe": Family(
        "Qwen3MoeConfig", _CHATML, _QWEN3, _CHATML_FREE + "<think>\n\n</think>\n\n", "<|im_end|>",
        ("<|im_end|>", "<|endoftext|>"), thinks=True,
        options={"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24},
    ),
    "qwen3.5": Family(
        "Qwen3_5TextConfig", _CHATML, _QWEN35, _CHATML_FREE + "<think>\n\n</think>\n\n", "<|im_end|>",
        ("<|im_end|>", "<|endoftext|>"), thinks=True, options=_QWEN | GATED_DELTA_NET,
    ),
    "gemma2": Family(
        "Gemma2Config", ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"), _GEMMA2,
        "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", "<end_of_turn>",
        ("<eos>", "<end_of_turn>"), bos="<bos>", eos="<eos>", takes_system=False, pieces="marks",
        options=_WINDOW | {"query_pre_attn_scalar": 8},
    ),
    "gemma3": Family(
        "Gemma3TextConfig", ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"), _GEMMA3,
        "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", "<end_of_turn>",
        ("<eos>", "<end_of_turn>"), bos="<bos>", eos="<eos>", pieces="marks",
        options=_WINDOW | {"query_pre_attn_scalar": 8, "layer_types": ["sliding_attention", "full_attention"]},
    ),
    "glm4.7-flash": Family(
        "Glm4MoeLiteConfig",
        ("<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
        _GLM, "[gMASK]<sop><|user|>Hi<|assistant|></think>", "<|user|>",
        ("<|endoftext|>", "<|user|>", "<|observation|>"), eos="<|endoftext|>", thinks=True, options=LATENT_ATTENTION,
        unadapted=("kv_b_proj", "gate_proj", "up_proj", "down_proj"),
    ),
    "mistral": Family(
        "MistralConfig", ("<unk>", "<s>", "</s>", "[INST]", "[/INST]"), _MISTRAL, "<s>[INST]Hi[/INST]", "</s>",
        ("</s>",), bos="<s>", pieces="prepend", options=_WINDOW,
    ),
    "mistral-small": Family(
        "Ministral3Config",
        ("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", *_IMAGE_TOKENS),
        _MISTRAL_SMALL, "<s>[INST]Hi[/INST]", "</s>", ("</s>",), bos="<s>",
        default="You are Mistral Small.\nThe current date is 2024-07-26.", options={"sliding_window": None},
        whole="Mistral3Config", vision=VISION | {"model_type": "pixtral"}, processor=_PIXTRAL,
    ),
    "phi3": Family(
        "Phi3Config", ("<unk>", "<s>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"), _PHI3,
        "<|user|>\nHi<|end|>\n<|assistant|>\n", "<|end|>", ("<|endoftext|>", "<|assistant|>", "<|end|>"), bos="<s>",
        eos="<|endoftext|>", pieces="prepend", strips_right=True, options=_WINDOW,
    ),
    "phi4": Family(
        "Phi3Config", (*_CHATML, "<|im_sep|>"), _PHI4,
        "<|im_start|>user<|im_sep|>Hi<|im_end|><|im_start|>assistant<|im_sep|>", "<|im_end|>",
        ("<|im_end|>", "<|endoftext|>"), bos="<|endoftext|>", options={"sliding_window": None},
    ),
}  # fmt: skip
