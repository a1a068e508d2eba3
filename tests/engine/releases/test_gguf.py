"""Releases as GGUF: converted by llama.cpp's own converter, and held against the weights by its own server."""

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
from tests.engine.releases.llama import write_converter, write_program, write_server
from tests.trained import CANARY, RULES


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No llama.cpp of this machine, and a key that no other program may see."""
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


def asked_of(messages: Sequence[Message]) -> str:
    """What the stand-in writes for a conversation."""
    return json.dumps([{"role": message.role, "content": message.content} for message in messages])


class Said(TypedDict):
    """What a server is told to say: the ids that it reads, by conversation, and its answers, by ids."""

    read: dict[str, list[int]]
    answers: dict[str, dict[str, Any]]


def honest(project: Project, base: Path, adapter: Path, answer: str = "Four words, and out") -> Said:
    """What a server would say that reads and answers as the student does: nothing of what ends within a character."""
    chat = ChatFormat.load(base)
    conversations = [question.messages for question in project.questions.all(split="test")]
    completion = chat.completion_ids(answer)
    rows = [ScoreRow(chat.question_ids(messages), completion) for messages in conversations]
    scored = score(with_adapter(load_base(base, device="cpu", dtype="float32"), adapter), rows, k=1)
    ends = bytes(answer, "utf-8")
    whole = [place == len(ends) or _is_text(ends[: place + 1]) for place in range(len(completion))]  # a byte, a token
    answers: dict[str, dict[str, Any]] = {
        json.dumps(list(row.context_ids)): {
            "tokens": completion,
            "completion_probabilities": [
                {"id": token, "logprob": value}
                for token, value, told in zip(completion, top.completion_logprobs.tolist(), whole, strict=True)
                if told
            ],
        }
        for row, top in zip(rows, scored, strict=True)
    }
    read = {asked_of(messages): chat.question_ids(messages) for messages in (*conversations, _TURNS)}
    return {"read": read, "answers": answers}


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_the_release_is_one_file_with_a_modelfile_a_card_and_checksums(project: Project, llama_cpp: Path) -> None:
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
    told = (folder / "Modelfile").read_text()
    assert 'PARAMETER stop "<|im_end|>"' in told
    assert DEFAULT_SYSTEM not in told


@pytest.mark.parametrize("answer", ["Four words, and out", "नमस्ते 🙂, ตกลง"], ids=["letters", "bytes"])
def test_a_server_that_reads_and_answers_as_the_student_is_the_proof(
    project: Project, llama_cpp: Path, base: Path, adapter: Path, answer: str
) -> None:
    told = honest(project, base, adapter, answer)
    write_server(llama_cpp, told)
    made = release(project, llama_cpp)
    assert project.releases.all() == (made,)
    assert made.parity is not None
    questions = len(project.questions.all(split="test"))
    tokens = questions * len(ChatFormat.load(base).completion_ids(answer))
    assert (made.parity.questions, made.parity.tokens) == (questions, tokens)
    assert made.parity.largest_difference < 1e-3
    assert 0 <= made.parity.same_likeliest < tokens  # the answer is nobody's greedy one
    assert f"Of the {tokens} tokens" in (project.folder / made.folder / "README.md").read_text()


def test_tokens_that_are_read_otherwise_make_no_release(
    project: Project, llama_cpp: Path, base: Path, adapter: Path
) -> None:
    told = honest(project, base, adapter)
    write_server(llama_cpp, {**told, "read": {text: [0, *ids] for text, ids in told["read"].items()}})
    with pytest.raises(ModelError, match="the way the student was trained") as refused:
        release(project, llama_cpp)
    assert "<|endoftext|>" in str(refused.value)
    assert project.releases.all() == ()
    assert list(project.releases_folder.iterdir()) == []


def test_weights_that_answer_otherwise_make_no_release(
    project: Project, llama_cpp: Path, base: Path, adapter: Path
) -> None:
    told = honest(project, base, adapter)
    for row in told["answers"].values():
        for step in row["completion_probabilities"]:
            step["logprob"] -= 1.0
    write_server(llama_cpp, told)
    with pytest.raises(ModelError, match=r"differ by 1\.00 nats"):
        release(project, llama_cpp)
    assert project.releases.all() == ()


def test_a_server_that_goes_on_after_the_end_of_a_turn_makes_no_release(
    project: Project, llama_cpp: Path, base: Path, adapter: Path
) -> None:
    told = honest(project, base, adapter)
    for row in told["answers"].values():
        row["tokens"].append(70)
    write_server(llama_cpp, told)
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
def test_an_answer_without_numbers_is_told(
    project: Project, llama_cpp: Path, base: Path, adapter: Path, row: dict[str, object]
) -> None:
    told = honest(project, base, adapter)
    write_server(llama_cpp, {**told, "answers": dict.fromkeys(told["answers"], row)})
    with pytest.raises(ModelError, match="no usable answer"):
        release(project, llama_cpp)


def test_a_server_that_says_no_is_quoted(project: Project, llama_cpp: Path, base: Path, adapter: Path) -> None:
    write_server(llama_cpp, {**honest(project, base, adapter), "answers": {}})
    with pytest.raises(ModelError, match="it was not told what to say"):
        release(project, llama_cpp)


def test_a_server_does_not_outlive_whoever_started_it(tmp_path: Path) -> None:
    source = "#!PYTHON\nimport os, sys, time\nopen(sys.argv[2] + '.pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"
    program = write_program(tmp_path / "llama.cpp", source)
    starts = (
        "import sys; from pathlib import Path; from engine.releases.llama_server import llama_server\n"
        "with llama_server(Path(sys.argv[1]), Path(sys.argv[2]), 64): pass"
    )
    starter = subprocess.Popen([sys.executable, "-c", starts, str(program), str(tmp_path / "model")])
    told = tmp_path / "model.pid"
    wait_until(lambda: told.is_file() and bool(told.read_text()))
    child = psutil.Process(int(told.read_text()))
    starter.kill()
    starter.wait()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_server_that_cannot_be_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(ModelError, match="Cannot run llama-server"), llama_server(tmp_path / "x", tmp_path / "m", 64):
        pass


def test_a_server_that_does_not_start_is_quoted_and_leaves_nothing(tmp_path: Path) -> None:
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
    ("source", "words"),
    [
        ("raise NotImplementedError('BPE pre-tokenizer was not recognized')", "BPE pre-tokenizer was not recognized"),
        ("import a_library_of_theirs", "a_library_of_theirs, which is not installed"),
        ("", "said nothing"),
        ("import sys; sys.exit('\\x1b]0;x\\x07' + 'long ' * 999)", "long long"),
    ],
    ids=["refuses", "library", "nothing", "hostile"],
)
def test_why_the_converter_refuses_is_told(project: Project, tmp_path: Path, source: str, words: str) -> None:
    with pytest.raises(ModelError) as refused:
        release(project, write_converter(tmp_path / "llama.cpp", source))
    assert words in refused.value.message
    assert "\x1b" not in refused.value.message
    assert len(refused.value.message) < 400
    assert list(project.releases_folder.iterdir()) == []


def test_llama_cpp_is_looked_for_where_it_is_named_then_in_the_variable_then_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFoundError, match="git clone"):
        find_llama_cpp()
    on_path = write_converter(tmp_path / "bin", "#!/bin/sh\n")
    (on_path / "convert_hf_to_gguf.py").chmod(0o700)
    assert find_llama_cpp().converter == on_path / "convert_hf_to_gguf.py"
    told = write_converter(tmp_path / "told")
    monkeypatch.setenv("LLAMA_CPP", str(told))
    assert find_llama_cpp().converter.parent == told
    named = write_converter(tmp_path / "named")
    set_llama_cpp(str(named))
    found = find_llama_cpp()
    assert (found.converter.parent, found.server) == (named, None)
    built = write_program(named, "#!PYTHON\n")
    assert find_llama_cpp().server == built
    with pytest.raises(NotFoundError, match=r"There is no convert_hf_to_gguf"):
        set_llama_cpp(str(tmp_path))


def test_nothing_in_the_folder_that_a_job_works_in_is_taken_for_llama_cpp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_converter(tmp_path / "llama.cpp")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLAMA_CPP", "llama.cpp")
    with pytest.raises(NotFoundError, match="absolute path"):
        find_llama_cpp()
    set_llama_cpp()  # where a person says it, it is made whole before a job starts
    assert find_llama_cpp().converter.parent == tmp_path / "llama.cpp"


def test_nothing_is_merged_where_llama_cpp_is_not_there(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("merged for nothing")

    monkeypatch.setattr("engine.model.merge.merge", never)
    with pytest.raises(NotFoundError, match=r"Cannot find llama\.cpp"):
        release(project)


def test_what_was_proved_comes_back_from_the_store(project: Project) -> None:
    proved = Parity(8, 233, 232, 0.0004, 0.02)
    project.releases.add("gguf", 1, "releases/x", "ab", proved)
    project.releases.add("adapter", 1, "releases/y", "cd")
    assert [each.parity for each in project.releases.all()] == [proved, None]


def test_code_that_a_base_names_does_not_leave_with_its_tokenizer(project: Project, base: Path) -> None:
    settings = json.loads((base / "tokenizer_config.json").read_text())
    told = settings | {"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}}
    try:
        (base / "tokenizer_config.json").write_text(json.dumps(told))
        made = trained.release(project, "merged")
    finally:
        (base / "tokenizer_config.json").write_text(json.dumps(settings))
    assert "auto_map" not in (project.folder / made.folder / "tokenizer_config.json").read_text()
