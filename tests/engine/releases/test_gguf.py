"""GGUF releases with a fake llama.cpp: the conversion, the parity check with its server, and finding llama.cpp."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import psutil
import pytest

from engine.errors import ModelError, NotFoundError
from engine.model.chat_format import ChatFormat
from engine.model.load import load_base, with_adapter
from engine.model.score import ScoreRow, score
from engine.project import Project
from engine.records.prompt import Message
from engine.records.release import Parity, Release
from engine.releases.llama_cpp import find_llama_cpp, set_llama_cpp
from engine.releases.llama_server import llama_server
from engine.releases.parity import _TURNS
from tests import trained
from tests.engine.jobs.support import wait_until
from tests.engine.releases.conftest import DEFAULT_SYSTEM
from tests.engine.releases.fake_llama_cpp import write_converter, write_program, write_server
from tests.trained import CANARY, RULES


@pytest.fixture(autouse=True)
def no_llama_cpp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide this machine's llama.cpp, and set an API key that no other program may see."""
    monkeypatch.delenv("LLAMA_CPP", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789abcdef")


@pytest.fixture
def llama_cpp(tmp_path: Path) -> Path:
    return write_converter(tmp_path / "llama.cpp")


def release(project: Project, llama_cpp: Path | None = None) -> Release:
    if llama_cpp is not None:
        set_llama_cpp(str(llama_cpp))
    return trained.release(project, "gguf", gguf_type="q8_0")


def rendered(messages: Sequence[Message]) -> str:
    """The text that the fake server makes of a conversation."""
    return json.dumps([{"role": message.role, "content": message.content} for message in messages])


class Replies(TypedDict):
    """The prepared replies of a server: its token ids by conversation, and its answers by token ids."""

    tokens: dict[str, list[int]]
    answers: dict[str, dict[str, Any]]


def student_replies(project: Project, base: Path, adapter: Path, answer: str = "Four words, and out") -> Replies:
    """Replies like the student's. As in llama.cpp, tokens that end within a character have no probabilities."""
    chat = ChatFormat.load(base)
    conversations = [question.messages for question in project.questions.all(split="test")]
    completion = chat.completion_ids(answer)
    rows = [ScoreRow(chat.question_ids(messages), completion) for messages in conversations]
    scored = score(with_adapter(load_base(base, device="cpu", dtype="float32"), adapter), rows, k=1)
    ends = bytes(answer, "utf-8")
    # One token per byte, and the end token.
    whole = [place == len(ends) or _is_text(ends[: place + 1]) for place in range(len(completion))]
    answers: dict[str, dict[str, Any]] = {
        json.dumps(list(row.context_ids)): {
            "tokens": completion,
            "completion_probabilities": [
                {"id": token, "logprob": value}
                for token, value, is_whole in zip(completion, top.completion_logprobs.tolist(), whole, strict=True)
                if is_whole
            ],
        }
        for row, top in zip(rows, scored, strict=True)
    }
    tokens = {rendered(messages): chat.question_ids(messages) for messages in (*conversations, _TURNS)}
    return {"tokens": tokens, "answers": answers}


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_gguf_release_has_one_model_file_with_modelfile_card_and_checksums(project: Project, llama_cpp: Path) -> None:
    made = release(project, llama_cpp)
    assert (made.kind, made.folder, made.parity) == ("gguf", "releases/run-1-gguf", None)
    folder = project.folder / made.folder
    assert {path.name for path in folder.iterdir()} == {"model.gguf", "Modelfile", "README.md", "SHA256SUMS"}
    assert json.loads((folder / "model.gguf").read_text()) == {"type": "q8_0"}
    card = (folder / "README.md").read_text()
    assert "library_name: gguf" in card
    assert "no llama-server was available" in card
    assert "ollama create my-model -f Modelfile" in card
    assert [path.name for path in project.releases_folder.iterdir()] == [folder.name]
    for path in folder.iterdir():
        for secret in (CANARY, RULES[0].text, str(project.folder)):
            assert secret.encode() not in path.read_bytes(), f"{path.name} holds {secret!r}"
    modelfile = (folder / "Modelfile").read_text()
    assert 'PARAMETER stop "<|im_end|>"' in modelfile
    assert DEFAULT_SYSTEM not in modelfile


@pytest.mark.parametrize("answer", ["Four words, and out", "नमस्ते 🙂, ตกลง"], ids=["letters", "bytes"])
def test_server_that_answers_like_the_student_proves_parity(
    project: Project, llama_cpp: Path, base: Path, adapter: Path, answer: str
) -> None:
    replies = student_replies(project, base, adapter, answer)
    write_server(llama_cpp, replies)
    made = release(project, llama_cpp)
    assert project.releases.all() == (made,)
    assert made.parity is not None
    questions = len(project.questions.all(split="test"))
    tokens = questions * len(ChatFormat.load(base).completion_ids(answer))
    assert (made.parity.questions, made.parity.tokens) == (questions, tokens)
    assert made.parity.largest_difference < 1e-3
    assert 0 <= made.parity.same_likeliest < tokens  # the answer is not the greedy one
    assert f"Of the {tokens} tokens" in (project.folder / made.folder / "README.md").read_text()


def test_release_is_refused_if_the_server_tokenizes_differently(
    project: Project, llama_cpp: Path, base: Path, adapter: Path
) -> None:
    replies = student_replies(project, base, adapter)
    write_server(llama_cpp, {**replies, "tokens": {text: [0, *ids] for text, ids in replies["tokens"].items()}})
    with pytest.raises(ModelError, match="the way the student was trained") as refused:
        release(project, llama_cpp)
    assert "<|endoftext|>" in str(refused.value)
    assert project.releases.all() == ()
    assert list(project.releases_folder.iterdir()) == []


def test_release_is_refused_if_converted_weights_answer_differently(
    project: Project, llama_cpp: Path, base: Path, adapter: Path
) -> None:
    replies = student_replies(project, base, adapter)
    for row in replies["answers"].values():
        for step in row["completion_probabilities"]:
            step["logprob"] -= 1.0
    write_server(llama_cpp, replies)
    with pytest.raises(ModelError, match=r"differ by 1\.00 nats"):
        release(project, llama_cpp)
    assert project.releases.all() == ()


def test_release_is_refused_if_the_server_does_not_end_an_answer(
    project: Project, llama_cpp: Path, base: Path, adapter: Path
) -> None:
    replies = student_replies(project, base, adapter)
    for row in replies["answers"].values():
        row["tokens"].append(70)
    write_server(llama_cpp, replies)
    with pytest.raises(ModelError, match="does not end an answer"):
        release(project, llama_cpp)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"tokens": [70, 71]},
        {"tokens": ["a"], "completion_probabilities": []},
        {"tokens": [70], "completion_probabilities": [{"id": 70}]},
        {"tokens": [70], "completion_probabilities": [{"id": 71, "logprob": -1.0}]},
        {"tokens": [70], "completion_probabilities": [1]},
    ],
    ids=["empty", "no numbers", "no ids", "half", "of others", "no steps"],
)
def test_release_is_refused_if_an_answer_has_no_usable_probabilities(
    project: Project, llama_cpp: Path, base: Path, adapter: Path, row: dict[str, object]
) -> None:
    replies = student_replies(project, base, adapter)
    write_server(llama_cpp, {**replies, "answers": dict.fromkeys(replies["answers"], row)})
    with pytest.raises(ModelError, match="no usable answer"):
        release(project, llama_cpp)


def test_error_of_the_server_is_quoted(project: Project, llama_cpp: Path, base: Path, adapter: Path) -> None:
    write_server(llama_cpp, {**student_replies(project, base, adapter), "answers": {}})
    with pytest.raises(ModelError, match="no answer was prepared"):
        release(project, llama_cpp)


def test_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    source = "#!PYTHON\nimport os, sys, time\nopen(sys.argv[2] + '.pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"
    program = write_program(tmp_path / "llama.cpp", source)
    code = (
        "import sys; from pathlib import Path; from engine.releases.llama_server import llama_server\n"
        "with llama_server(Path(sys.argv[1]), Path(sys.argv[2]), 64): pass"
    )
    starter = subprocess.Popen([sys.executable, "-c", code, str(program), str(tmp_path / "model")])
    pid_file = tmp_path / "model.pid"
    wait_until(lambda: pid_file.is_file() and bool(pid_file.read_text()))
    child = psutil.Process(int(pid_file.read_text()))
    starter.kill()
    starter.wait()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_server_that_cannot_be_run_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(ModelError, match="Cannot run llama-server"), llama_server(tmp_path / "x", tmp_path / "m", 64):
        pass


def test_error_of_a_server_that_does_not_start_is_quoted_without_control_characters(tmp_path: Path) -> None:
    source = "#!PYTHON\nimport sys\nsys.exit('error: unknown \\x1b[31marchitecture')"
    program = write_program(tmp_path / "llama.cpp", source)
    with (
        pytest.raises(ModelError, match="cannot load") as refused,
        llama_server(program, tmp_path / "model.gguf", 64),
    ):
        pass
    assert "unknown" in str(refused.value)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise NotImplementedError('BPE pre-tokenizer was not recognized')", "BPE pre-tokenizer was not recognized"),
        ("import a_library_of_theirs", "a_library_of_theirs, which is not installed"),
        ("", "printed nothing"),
        ("import sys; sys.exit('\\x1b]0;x\\x07' + 'long ' * 999)", "long long"),
    ],
    ids=["refuses", "library", "nothing", "hostile"],
)
def test_reason_of_a_converter_failure_is_reported(project: Project, tmp_path: Path, source: str, reason: str) -> None:
    with pytest.raises(ModelError) as refused:
        release(project, write_converter(tmp_path / "llama.cpp", source))
    assert reason in refused.value.message
    assert "\x1b" not in refused.value.message
    assert len(refused.value.message) < 400
    assert list(project.releases_folder.iterdir()) == []


def test_llama_cpp_is_found_by_option_then_variable_then_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match="git clone"):
        find_llama_cpp()
    on_path = write_converter(tmp_path / "bin", "#!/bin/sh\n")
    (on_path / "convert_hf_to_gguf.py").chmod(0o700)
    assert find_llama_cpp().converter == on_path / "convert_hf_to_gguf.py"
    in_variable = write_converter(tmp_path / "in-variable")
    monkeypatch.setenv("LLAMA_CPP", str(in_variable))
    assert find_llama_cpp().converter.parent == in_variable
    named = write_converter(tmp_path / "named")
    set_llama_cpp(str(named))
    found = find_llama_cpp()
    assert (found.converter.parent, found.server) == (named, None)
    built = write_program(named, "#!PYTHON\n")
    assert find_llama_cpp().server == built
    with pytest.raises(NotFoundError, match=r"There is no convert_hf_to_gguf"):
        set_llama_cpp(str(tmp_path))


def test_llama_cpp_variable_must_be_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_converter(tmp_path / "llama.cpp")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLAMA_CPP", "llama.cpp")
    with pytest.raises(NotFoundError, match="absolute path"):
        find_llama_cpp()
    set_llama_cpp()  # a folder that the user names is made absolute before a job starts
    assert find_llama_cpp().converter.parent == tmp_path / "llama.cpp"


def test_nothing_is_merged_if_llama_cpp_is_missing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("merged although llama.cpp is missing")

    monkeypatch.setattr("engine.model.merge.merge", never)
    with pytest.raises(NotFoundError, match=r"Cannot find llama\.cpp"):
        release(project)


def test_parity_is_stored_with_the_release(project: Project) -> None:
    parity = Parity(8, 233, 232, 0.0004, 0.02)
    project.releases.add("gguf", 1, "releases/x", "ab", parity)
    project.releases.add("adapter", 1, "releases/y", "cd")
    assert [each.parity for each in project.releases.all()] == [parity, None]
