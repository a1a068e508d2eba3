"""Generation through `transformers serve`: an OpenAI-compatible server that this project did not write."""

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from engine.jobs.follow import follow
from engine.jobs.protocol import AnswerDelta, AnswerEnded
from engine.model.starter import ensure_starter, starter_weights
from engine.paths import Home
from engine.project import Project
from engine.records.options import GenerateOptions, TeacherSpec
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from tests.foreign_server import foreign_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        find_spec("uvicorn") is None or find_spec("fastapi") is None,
        reason="the server is not installed: uv sync --group serving-peer",
    ),
    pytest.mark.skipif(starter_weights() is None, reason="the starter model's weights are not installed"),
]
QUESTIONS = 20


@pytest.fixture
def folder(private_home: Path) -> Path:
    return ensure_starter(Home.locate(), lambda done, total, note: None)


@pytest.fixture
def base_url(folder: Path, tmp_path: Path) -> Iterator[str]:
    """The URL of the server; its log is in the test's folder."""
    program = str(Path(sys.executable).with_name("transformers"))
    command = [program, "serve", str(folder), "--device", "cpu", "--dtype", "float32"]
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "OMP_NUM_THREADS": "2"}
    with foreign_server(command, tmp_path / "serve.log", environment, within_s=300) as url:
        yield f"{url}/v1"


def test_transformers_serve_answers_twenty_questions(folder: Path, base_url: str, tmp_path: Path) -> None:
    with Project.create(tmp_path / "peer", home=Home.locate()) as project:
        project.prompts.set(Prompt((Message("system", "Answer in one short sentence."),)))
        project.questions.add(Question((Message("user", f"What is {n} plus {n + 3}?"),)) for n in range(QUESTIONS))
        project.questions.set_splits({question.id: "train" for question in project.questions.all()})
        teacher = TeacherSpec("endpoint", str(folder), base_url)
        options = GenerateOptions(teacher, temperature=0.7, max_answer_tokens=32, concurrency=4)
        job = project.start_job(options)
        events = [stamped.event for stamped in follow(project, job.id)]
        ended = project.jobs.get(job.id)
        assert ended.state == "done", f"{ended.note}\n{(tmp_path / 'serve.log').read_text()[-3000:]}"
        examples = [curated.example for curated in project.examples.all()]
    assert len(examples) == QUESTIONS
    assert all(example.answer.strip() and example.finish_reason in ("stop", "length") for example in examples)
    assert all(example.usage.prompt_tokens > 0 and example.usage.completion_tokens > 0 for example in examples)
    # Token counts come from the server, or are counted here with its tokenizer and marked so.
    counted_here = {example.usage.counted_here for example in examples}
    assert len(counted_here) == 1
    assert sum(isinstance(event, AnswerEnded) for event in events) == QUESTIONS
    assert any(isinstance(event, AnswerDelta) for event in events)
