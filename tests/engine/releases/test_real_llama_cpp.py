"""Releases checked with the real llama.cpp, from a clone named by $LLAMA_CPP with its server built. To set it up:

git clone --depth 1 https://github.com/ggml-org/llama.cpp && cd llama.cpp
cmake -B build -DLLAMA_CURL=OFF && cmake --build build -j --target llama-server
LLAMA_CPP=$PWD uv run --extra gguf pytest -n 0 -m slow tests/engine/releases
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.jobs.context import JobContext
from engine.model.chat_format import ChatFormat
from engine.model.starter import ensure_starter
from engine.paths import Home
from engine.project import Project
from engine.records.options import ExportOptions
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.release import GgufType
from engine.releases.llama_cpp import find_llama_cpp
from engine.releases.llama_server import llama_server
from engine.releases.parity import check_parity
from tests.families import FAMILIES
from tests.tiny import make_tiny_family
from tests.trained import make_tiny_adapter, make_trained_project, release

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("LLAMA_CPP" not in os.environ, reason="LLAMA_CPP does not name a clone of llama.cpp"),
    pytest.mark.timeout(1_200),
]
TURNS = (Message("user", "Is it open?"), Message("assistant", "Yes.\n\n- so"), Message("user", "¿Y mañana? 🙂"))


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_starter(Home.locate(tmp_path_factory.mktemp("home")))


@pytest.fixture
def project(starter: Path, tmp_path: Path) -> Iterator[Project]:
    adapter = make_tiny_adapter(starter, tmp_path / "adapter")
    with make_trained_project(Home.locate(tmp_path / "home"), starter, adapter) as project:
        yield project


@pytest.mark.parametrize(("gguf_type", "max_difference"), [("auto", 0.01), ("bf16", 0.1), ("q8_0", 0.1)])
def test_converted_weights_answer_like_the_student(
    project: Project, gguf_type: GgufType, max_difference: float
) -> None:
    made = release(project, "gguf", gguf_type=gguf_type)
    assert made.parity is not None
    assert made.parity.mean_difference < max_difference
    assert made.parity.same_likeliest >= 0.9 * made.parity.tokens


@pytest.fixture(scope="module")
def weights(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter with the template of a release, converted to GGUF."""
    folder = tmp_path_factory.mktemp("gguf")
    shutil.copytree(starter, folder / "model")
    (folder / "model" / "chat_template.jinja").write_text(ChatFormat.load(starter).template)
    converter = [sys.executable, str(find_llama_cpp().converter), str(folder / "model")]
    subprocess.run([*converter, "--outfile", str(folder / "model.gguf")], check=True)
    return folder / "model.gguf"


def test_parity_holds_for_scripts_with_several_bytes_per_character(
    project: Project, weights: Path, starter: Path
) -> None:
    server = find_llama_cpp().server
    assert server is not None
    texts = ("हिंदी में गिनो: एक, दो, तीन", "Repeat: 🙂🙂🙂 🏦", "日本語で答えて: 今日は")
    questions = [Question((Message("user", text),)) for text in texts]
    context = JobContext(project, project.jobs.add(ExportOptions(1)))
    found = check_parity(context, server, weights, starter, ChatFormat.load(starter), questions)
    assert found.mean_difference < 0.02
    assert found.same_likeliest >= 0.98 * found.tokens


@pytest.mark.parametrize("name", FAMILIES)
def test_template_of_every_family_renders_as_in_training(name: str, weights: Path, tmp_path: Path) -> None:
    family, server = FAMILIES[name], find_llama_cpp().server
    assert server is not None
    chat = ChatFormat.load(make_tiny_family(tmp_path / name, family))
    template = tmp_path / "template.jinja"
    template.write_text(chat.template)
    # A template that uses the names of these tokens gets those of the loaded weights, which are the starter's.
    token_names = (
        {family.bos: "<|im_start|>", family.eos or family.stop: "<|im_end|>"} if "eos_token" in chat.template else {}
    )
    with llama_server(server, weights, 256, ("--chat-template-file", str(template))) as served:
        for messages in (TURNS[:1], TURNS):
            expected, begin = chat.question_text(messages), family.bos or ""
            for family_name, starter_name in token_names.items():
                expected = expected.replace(family_name or "\0", starter_name)
            found = served.question_text(messages).removeprefix(begin).removeprefix("<|im_start|>")
            assert found == expected.removeprefix(begin).removeprefix("<|im_start|>")
