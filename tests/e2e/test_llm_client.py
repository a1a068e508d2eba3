"""The local server used by `llm`, a client that this project did not write, in a separate environment.

    uv venv /tmp/llm && uv pip install --python /tmp/llm/bin/python llm
    DISTILL_TUI_LLM=/tmp/llm/bin/llm uv run pytest -m slow tests/e2e/test_llm_client.py

It cannot be a dependency group of this project: an override drops `llm`, which the starter's weights depend on.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.errors import JobError
from engine.jobs import control
from engine.jobs.liveness import is_alive
from engine.paths import Home
from engine.records.prompt import Message
from engine.serving.address import Address
from engine.serving.client import Answer, ArmClient, ensure_server, wait_until_ready
from tests.e2e.conftest import until
from tests.trained import make_tiny_adapter, make_tiny_base, make_trained_project

LLM = os.environ.get("DISTILL_TUI_LLM") or shutil.which("llm")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(LLM is None, reason="`llm` is not installed: see the docstring of this file"),
]
QUESTION = "Is it open?"
ARMS = ("unprompted", "prompted", "run-1", "run-1@50")
Ask = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def address(home: Home, tmp_path: Path) -> Iterator[Address]:
    base = make_tiny_base(tmp_path / "tiny")
    with make_trained_project(home, base, make_tiny_adapter(base, tmp_path / "adapter")) as project:
        job = ensure_server(project).job
        try:
            yield asyncio.run(wait_until_ready(project.folder, job))
        finally:
            with suppress(JobError):
                control.stop(project, job, force=True, grace_s=10)
            until(lambda: not is_alive(job))


@pytest.fixture
def llm(address: Address, tmp_path: Path) -> Ask:
    """Run `llm`, which has the arms as models."""
    folder = tmp_path / "llm"
    folder.mkdir()
    # JSON is YAML.
    models = [
        {"model_id": f"mine-{arm}", "model_name": arm, "api_base": address.base_url, "api_key_name": "mine"}
        for arm in (*ARMS, "run-9")
    ]
    (folder / "extra-openai-models.yaml").write_text(json.dumps(models))
    (folder / "keys.json").write_text(json.dumps({"mine": address.token}))

    def ask(*args: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [str(LLM), *args],
            env={**os.environ, "LLM_USER_PATH": str(folder), "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )

    return ask


def own_answer(address: Address, arm: str) -> str:
    async def collect() -> str:
        async with ArmClient(address) as client:
            parts = client.stream(arm, (Message("user", QUESTION),), temperature=0.0, max_tokens=16)
            (answer,) = [part async for part in parts if isinstance(part, Answer)]
            return answer.text

    return asyncio.run(collect())


def test_every_arm_answers_llm_as_it_answers_our_client(address: Address, llm: Ask) -> None:
    greedy = ("-o", "temperature", "0", "-o", "max_tokens", "16", "-o", "seed", "5")
    answers = set()
    for arm in ARMS:
        expected = own_answer(address, arm)
        for how in ((), ("--no-stream",)):
            found = llm("-m", f"mine-{arm}", *greedy, *how, "-u", QUESTION)
            assert found.returncode == 0, found.stderr.decode()
            assert found.stdout == f"{expected}\n".encode()
            assert b"Token usage:" in found.stderr
        answers.add(expected)
    assert len(answers) == len(ARMS)


def test_conversation_continues_and_system_message_depends_on_the_arm(llm: Ask) -> None:
    assert llm("-m", "mine-run-1", "-o", "max_tokens", "8", QUESTION).returncode == 0
    assert llm("-c", "-o", "max_tokens", "8", "And tomorrow?").returncode == 0
    assert llm("-m", "mine-unprompted", "-o", "max_tokens", "8", "-s", "Be brief.", QUESTION).returncode == 0
    refused = llm("-m", "mine-prompted", "-s", "Be brief.", QUESTION)
    assert refused.returncode != 0
    assert b"takes no other system message" in refused.stderr


def test_llm_shows_the_servers_refusals(llm: Ask) -> None:
    unknown = llm("-m", "mine-run-9", QUESTION)
    assert unknown.returncode != 0
    assert b"There is no run 9" in unknown.stderr
    penalty = llm("-m", "mine-run-1", "-o", "frequency_penalty", "0.5", QUESTION)
    assert penalty.returncode != 0
    assert b"frequency_penalty" in penalty.stderr
    stranger = llm("-m", "mine-run-1", "--key", "wrong", QUESTION)
    assert stranger.returncode != 0
    assert b"token is wrong" in stranger.stderr
