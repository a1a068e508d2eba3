"""Provenance: a reply names the arm that made it, and every arm answers as it does without the server."""

import asyncio
import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import openai
import pytest
from safetensors.torch import load_file, save_file

from engine.evaluation.arms import LocalArm
from engine.model.chat_format import ChatFormat
from engine.model.decode import decode
from engine.model.load import load_base, with_adapter
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache
from engine.project import Project
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.serving.catalog import Catalog
from engine.serving.conversation import Conversation
from engine.serving.names import parse_arm
from tests.engine.serving.conftest import Served
from tests.trained import PROMPT

QUESTION = (Message("user", "Is the café open?"),)
TOKENS = 24
ARMS = (
    "unprompted", "prompted", "run-1", "run-2", "run-1@0", "run-1@50", "run-2@7", "run-1+prompt", "run-2@50+prompt",
    "run-2@0+prompt",
)  # fmt: skip


@pytest.fixture(scope="module")
def expected(base: Path, adapters: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Each arm's greedy answer from a separate model, with the strength multiplied into its adapter's weights."""
    found = {}
    for arm in ARMS:
        choice = parse_arm(arm)
        assert choice is not None
        local: LocalModel = load_base(base, device="cpu", dtype="float32")
        if choice.run_id:
            folder = tmp_path_factory.mktemp("scaled")
            source = adapters[choice.run_id - 1]
            (folder / "adapter_config.json").write_bytes((source / "adapter_config.json").read_bytes())
            weights = load_file(source / "adapter_model.safetensors")
            scaled = {
                name: (tensor * (choice.strength_percent / 100) if "lora_B" in name else tensor).contiguous()
                for name, tensor in weights.items()
            }
            save_file(scaled, folder / "adapter_model.safetensors")
            local = with_adapter(local, folder)
        ids = local.format.prompted_ids(PROMPT, QUESTION) if choice.prompt else local.format.question_ids(QUESTION)
        prefix = PromptCache.build(local, local.format.prompt_prefix_ids(PROMPT)) if choice.prompt else None
        (decoded,) = decode(local, [ids], prefix=prefix, temperature=0, max_new_tokens=TOKENS, seeds=[0])
        found[arm] = local.format.decode(decoded.ids)
    return found


def ask(client: openai.OpenAI, arm: str, **more: Any) -> Any:
    return client.chat.completions.create(
        model=arm,
        messages=[{"role": "user", "content": QUESTION[0].content}],
        **{"temperature": 0, "max_tokens": TOKENS, **more},
    )


def test_arms_answer_differently_and_strength_0_equals_the_base(expected: dict[str, str]) -> None:
    assert expected["run-1@0"] == expected["unprompted"]
    assert expected["run-2@0+prompt"] == expected["prompted"]
    assert len(set(expected.values())) == len(ARMS) - 2


@pytest.mark.parametrize("arm", [*ARMS, *reversed(ARMS)])
def test_arm_answers_as_without_the_server(client: openai.OpenAI, expected: dict[str, str], arm: str) -> None:
    """In both orders, to show that the previous arm leaves no trace."""
    reply = ask(client, arm)
    assert reply.choices[0].message.content == expected[arm]
    assert reply.model == arm


@pytest.mark.parametrize("arm", ["unprompted", "run-2@50+prompt"])
def test_streamed_answer_is_the_same_text(client: openai.OpenAI, expected: dict[str, str], arm: str) -> None:
    text = "".join(chunk.choices[0].delta.content or "" for chunk in ask(client, arm, stream=True) if chunk.choices)
    assert text == expected[arm]


def test_arms_asked_at_once_answer_as_alone(served: Served, expected: dict[str, str]) -> None:
    async def ask_one(client: openai.AsyncOpenAI, arm: str, order: list[str]) -> str:
        stream = await client.chat.completions.create(
            model=arm,
            messages=[{"role": "user", "content": QUESTION[0].content}],
            temperature=0,
            max_tokens=TOKENS,
            stream=True,
        )
        text = ""
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                order.append(arm)
                text += chunk.choices[0].delta.content
        return text

    async def ask_all() -> tuple[list[str], list[str]]:
        order: list[str] = []
        async with openai.AsyncOpenAI(
            api_key=served.address.token, base_url=served.address.base_url, max_retries=0
        ) as client:
            return list(await asyncio.gather(*(ask_one(client, arm, order) for arm in (*ARMS, *ARMS)))), order

    answers, order = asyncio.run(ask_all())
    assert answers == [expected[arm] for arm in (*ARMS, *ARMS)]
    changes = sum(a != b for a, b in pairwise(order))
    assert changes > len(ARMS) * 2, "the answers came one after the other"


def test_reply_names_the_arm_and_adapter_that_made_it(client: openai.OpenAI, adapters: tuple[Path, Path]) -> None:
    hashes = [hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest() for folder in adapters]
    assert hashes[0] != hashes[1]
    for arm, run, strength, prompted in (
        ("unprompted", None, 0, False),
        ("prompted", None, 0, True),
        ("run-1", 1, 100, False),
        ("run-2@60", 2, 60, False),
        ("run-2@0+prompt", 2, 0, True),
    ):
        expected = {
            "arm": arm,
            "run": run,
            "adapter_sha256": hashes[run - 1] if run else None,
            "strength": strength,
            "prompt_sha256": PROMPT.sha256 if prompted else None,
            "client_system": False,
        }
        assert ask(client, arm).distill_tui == expected
        chunks = list(ask(client, arm, stream=True, stream_options={"include_usage": True}))
        assert chunks[-1].distill_tui == chunks[-2].distill_tui == expected
        assert chunks[-2].choices[0].finish_reason in ("stop", "length")
        assert {chunk.model for chunk in chunks} == {arm}


def test_fingerprint_depends_on_the_arm_alone(client: openai.OpenAI) -> None:
    arms = ("unprompted", "prompted", "run-1", "run-1@60", "run-2", "run-1+prompt")
    fingerprints = [ask(client, arm).system_fingerprint for arm in arms]
    assert len(set(fingerprints)) == len(arms)
    assert [ask(client, arm).system_fingerprint for arm in arms] == fingerprints


def test_served_ids_equal_those_evaluated_and_trained_on(served: Served, base: Path) -> None:
    """Byte-identical: the server reads the same ids as the evaluation's arms and a frozen dataset."""
    local = load_base(base, device="cpu", dtype="float32")
    catalog = Catalog(served.project_folder, served.home, str(base))
    conversation = Conversation(ChatFormat.load(base))
    question = Question((*QUESTION, Message("assistant", "Yes."), Message("user", "And now?")))
    distilled, prefix = conversation.ids(catalog.find("run-1@30"), question.messages)
    assert prefix == ()
    assert distilled == LocalArm("distilled", local, None, adapter=True).context_ids(question)
    assert distilled == local.format.question_ids(question.messages)
    assert "You are tiny." not in local.format.question_text(question.messages)
    prompted, prefix = conversation.ids(catalog.find("prompted"), question.messages)
    assert prompted == LocalArm("prompted", local, PROMPT, adapter=False).context_ids(question)
    assert tuple(prompted[: len(prefix)]) == prefix


def test_clients_system_message_is_used_without_the_prompt_and_reported(client: openai.OpenAI, base: Path) -> None:
    local = load_base(base, device="cpu", dtype="float32")
    system = Prompt((Message("system", "Speak like a pirate."),))
    (decoded,) = decode(
        local, [local.format.prompted_ids(system, QUESTION)], temperature=0, max_new_tokens=TOKENS, seeds=[0]
    )
    messages: Any = [
        {"role": "system", "content": "Speak like a pirate."},
        {"role": "user", "content": QUESTION[0].content},
    ]
    reply: Any = client.chat.completions.create(model="unprompted", messages=messages, temperature=0, max_tokens=TOKENS)
    assert reply.choices[0].message.content == local.format.decode(decoded.ids)
    assert reply.distill_tui["client_system"] is True
    assert client.chat.completions.create(model="run-1", messages=messages, max_tokens=3).choices
    for arm in ("prompted", "run-1+prompt"):
        with pytest.raises(openai.BadRequestError, match="accepts no other system message"):
            client.chat.completions.create(model=arm, messages=messages)


def test_changed_adapter_is_loaded_again(served: Served, client: openai.OpenAI) -> None:
    with Project.open(served.project_folder, served.home) as project:
        folder = project.folder / project.runs.get(1).folder / "adapter"
    file = folder / "adapter_model.safetensors"
    before, content = ask(client, "run-1"), file.read_bytes()
    try:
        save_file({name: -tensor for name, tensor in load_file(file).items() if "lora_B" in name} | {
            name: tensor for name, tensor in load_file(file).items() if "lora_A" in name
        }, file)  # fmt: skip
        after = ask(client, "run-1")
        assert after.distill_tui["adapter_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert after.choices[0].message.content != before.choices[0].message.content
    finally:
        file.write_bytes(content)
    again = ask(client, "run-1")
    assert json.dumps(again.distill_tui) == json.dumps(before.distill_tui)
    assert again.choices[0].message.content == before.choices[0].message.content


def test_server_survives_a_broken_adapter_and_an_extreme_request(served: Served, client: openai.OpenAI) -> None:
    with Project.open(served.project_folder, served.home) as project:
        file = project.folder / project.runs.get(1).folder / "adapter" / "adapter_model.safetensors"
    content = file.read_bytes()
    try:
        save_file({name: tensor * float("nan") for name, tensor in load_file(file).items()}, file)
        with pytest.raises(openai.InternalServerError, match="no valid probabilities"):
            ask(client, "run-1", temperature=1)
    finally:
        file.write_bytes(content)
    coldest = ask(client, "run-1", temperature=1, top_p=5e-324)
    assert coldest.choices[0].message.content == ask(client, "run-1").choices[0].message.content
