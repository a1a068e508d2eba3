"""`bench` with a tiny random model: what is measured and reported, and what is not measured again."""

import dataclasses
import json
from pathlib import Path

import pytest

from engine.benchmark.job import QUICK, open_benchmark, project_name, run
from engine.benchmark.prompts import BUNDLED, load_benchmark_prompt
from engine.folders import project_folders
from engine.jobs.context import JobContext, StopFlag
from engine.jobs.protocol import StateChanged
from engine.paths import Home
from engine.pipeline import ensure_job
from engine.project import Project
from engine.records.evaluation import ArmAnswer
from engine.records.example import Example, ExampleKey
from engine.records.job import Job
from engine.records.options import BenchOptions, ProjectSettings, TeacherSpec
from engine.records.rule import CheckResult
from tests.engine.cli.calling import call, fail, get, one_object, succeed
from tests.engine.cli.shapes import INTERVAL, JOB, RATE, REPORT, Maybe, assert_shape
from tests.trained import use_one_thread
from tests.tui import seeds

BENCH = {
    "schema": {1},
    "quick": bool,
    "base": str,
    "teacher": {"kind": {"local", "endpoint"}, "model": str, "base_url": str},
    "serving_temperature": float,
    "versions": {"distill-tui": str, "python": str, "torch": str, "transformers": str, "peft": str},
    "machine": {"system": str, "processor": str, "cores": int},
    "seeds": {"split": {0}, "generate": {0}, "train": {0}, "evaluate": {0}},
    "recipe": {"samples": int, "preset": str, "evaluate_samples": int, "max_answer_tokens": int},
    "prompts": [
        {
            "name": str,
            "project": str,
            "state": {"measured", "nothing_to_train_on", "failed"},
            "note": str,
            "sha256": {"prompt.md": str, "rules.yaml": str, "questions.jsonl": str},
            "prompt_tokens": {"tokens": int, "tokenizer": str, "exact": bool},
            "rules": int,
            "questions": {"train": int, "validation": int, "test": int},
            "teacher_answers": RATE,
            "training": Maybe({"base": str, "learning_rate": float, "seed": int}),
            "seconds": float,
            "report": Maybe(REPORT),
        }
    ],
}


@pytest.fixture
def own_prompt(tmp_path: Path) -> Path:
    """A user's own benchmark prompt, which no random model follows."""
    folder = tmp_path / "one-word"
    folder.mkdir()
    (folder / "prompt.md").write_text("Answer in one word.\n\n## User\n\na?\n\n## Assistant\n\nb.\n")
    (folder / "rules.yaml").write_text(
        "rules:\n  - {text: One word, check: {kind: length, unit: words, max: 1}}\n"
        "  - {text: Ends with a point, check: {kind: ends_with, text: .}}\n"
    )
    rows = [{"text": f"question {n} of {topic}?", "topic": topic} for topic in "abcdefgh" for n in range(3)]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture(autouse=True)
def short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit answers to four tokens: a random model rarely ends one by itself."""
    use_one_thread(monkeypatch)
    recipe = dataclasses.replace(
        QUICK, generate=dataclasses.replace(QUICK.generate, max_answer_tokens=4), max_answer_tokens=4
    )
    monkeypatch.setattr("engine.benchmark.job.QUICK", recipe)


def run_benchmark(home: Home, folder: Path, base: Path, *, answered: bool) -> None:
    """Run the job of a quick benchmark in this process.

    `answered`: with stored answers that pass the rules, as if the base had given them, so that none is generated.
    """
    settings = ProjectSettings(student_base=str(base), teacher=TeacherSpec(model=str(base)))
    with open_benchmark(home, load_benchmark_prompt(str(folder)), settings, quick=True, fresh=False) as project:
        sha256 = project.prompts.require().sha256
        question_ids = [question.id for question in project.questions.all() if question.split != "test"]
        keys = [
            ExampleKey(sha256, id, str(base), attempt)
            for id in question_ids
            for attempt in range(QUICK.generate.samples)
        ]
        if answered:
            project.examples.add([Example(key, f"y{key.question_id}-{key.attempt}.", "stop", "local") for key in keys])
        options = BenchOptions(quick=True)
        context = JobContext(project, project.jobs.add(options), StopFlag())
        run(context, options)
        context.close()
        project.jobs.update(context.job.id, state="done")


def test_prompt_is_measured_once_and_reported(home: Home, own_prompt: Path, tiny_base: Path) -> None:
    run_benchmark(home, own_prompt, tiny_base, answered=True)
    args = ("bench", f"{own_prompt}/", "--base", tiny_base, "--quick")
    data = get(*args)
    assert_shape(data, BENCH)
    (row,) = data["prompts"]
    assert (row["name"], row["state"], row["rules"]) == ("one-word", "measured", 2)
    assert row["teacher_answers"]["total"] == QUICK.generate.samples * (24 - row["questions"]["test"])
    assert row["teacher_answers"]["rate"] == 1.0
    assert set(row["mean_rule"]) == {"unprompted", "prompted", "distilled"}
    for arm, interval in row["mean_rule"].items():
        assert_shape(interval, INTERVAL)
        rates = [rule["rate"] for rule in row["report"]["arms"][arm]["rules"]]
        assert interval["value"] == pytest.approx(sum(rates) / len(rates))
    assert row["note"] == ("" if row["report"]["recovered"] else row["report"]["recovered_note"])
    assert row["report"]["prompt"]["tokens"] == row["prompt_tokens"]["tokens"]

    repeated = get(*args)
    assert repeated == data, "finished work is not repeated"
    assert [job["kind"] for job in get("jobs", "list", "--all")["jobs"]] == ["bench"]
    text = succeed(*args).out
    assert max(map(len, text.splitlines())) <= 80
    assert "one-word" in text
    assert "| prompt tokens |" in succeed(*args, "--markdown").out
    assert get("status")["project"] == row["project"]


def test_result_uses_only_the_test_split_evaluation(home: Home, own_prompt: Path, tiny_base: Path) -> None:
    run_benchmark(home, own_prompt, tiny_base, answered=True)
    args = ("bench", f"{own_prompt}/", "--base", tiny_base, "--quick")
    (before,) = get(*args)["prompts"]
    with Project.open(home.projects / before["project"], home) as project:
        measured = project.evaluations.latest()
        assert measured is not None
        test, validation = (project.questions.all(split=split)[0].id for split in ("test", "validation"))
        failed = (CheckResult(1, passed=False), CheckResult(2, passed=False))
        others = [
            ArmAnswer("prompt_back", test, 0, "no", "stop", failed, 1, 1),
            ArmAnswer("distilled", validation, 0, "no", "stop", failed, 1, 1),
        ]
        project.evaluations.add_answers(measured.run_id, measured.answers_key, others)
        project.evaluations.add(dataclasses.replace(measured, split="validation", recovered=None))
    (after,) = get(*args)["prompts"]
    assert after == before


def test_teacher_that_passes_no_rule_is_a_result_not_an_error(home: Home, own_prompt: Path, tiny_base: Path) -> None:
    run_benchmark(home, own_prompt, tiny_base, answered=False)
    data = get("bench", f"{own_prompt}/", "--base", tiny_base, "--quick")
    assert_shape(data, BENCH)
    (row,) = data["prompts"]
    assert (row["state"], row["report"], row["training"]) == ("nothing_to_train_on", None, None)
    assert row["teacher_answers"]["passed"] == 0
    assert "nothing to recover" in row["note"]
    assert "no teacher" in succeed("bench", f"{own_prompt}/", "--base", tiny_base, "--quick").out


def test_failed_prompt_is_reported_beside_the_others(
    home: Home, own_prompt: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_bundled_prompt(project: Project, options: BenchOptions) -> Job:
        if "one-word" in project.name:
            return ensure_job(project, options)
        reason = "The model's context is too short."
        return seeds.add_job(project, options, "failed", [StateChanged("failed", reason)], reason)

    run_benchmark(home, own_prompt, tiny_base, answered=True)
    monkeypatch.setattr("engine.pipeline.ensure_job", fail_bundled_prompt)
    ended = call("bench", "desk", f"{own_prompt}/", "--base", tiny_base, "--quick", "--json")
    assert ended.status == 1
    data = one_object(ended.out)
    assert_shape(data, BENCH | {"error": {"code": str, "title": str, "message": str, "next": str}, "job": JOB})
    assert [row["state"] for row in data["prompts"]] == ["failed", "measured"]
    assert "context is too short" in data["prompts"][0]["note"]


@pytest.mark.slow
def test_prompt_too_long_for_the_base_is_reported_by_a_real_job(home: Home, tiny_base: Path) -> None:
    ended = call("bench", "manual", "--base", tiny_base, "--quick", "--json")
    assert ended.status == 1
    (row,) = one_object(ended.out)["prompts"]
    assert row["state"] == "failed"
    assert "context" in row["note"]


def test_results_of_changed_data_are_refused(home: Home, own_prompt: Path, tiny_base: Path) -> None:
    run_benchmark(home, own_prompt, tiny_base, answered=True)
    (own_prompt / "rules.yaml").write_text("rules: [{text: Ends well, check: {kind: ends_with, text: .}}]")
    error = fail("bench", f"{own_prompt}/", "--base", tiny_base, "--quick")
    assert "other data" in error["message"]
    assert "--fresh" in error["next"]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("nonsense",), ", ".join(BUNDLED)),
        (("./nowhere",), "prompt.md"),
        (("desk", "--base-url", "https://llm.example.com/v1"), "several"),
        (("triage", "triage", "--base-url", "ftp://x"), "ftp"),
    ],
)
def test_invalid_arguments_create_no_project(args: tuple[str, ...], expected: str, home: Home) -> None:
    assert expected in " ".join(fail("bench", *args).values())
    assert list(project_folders(home)) == []


def test_each_base_and_teacher_has_its_own_project_name() -> None:
    desk = load_benchmark_prompt("desk")
    starter = ProjectSettings()
    other = ProjectSettings(
        student_base="Qwen/Qwen2.5-0.5B-Instruct", teacher=TeacherSpec(model="Qwen/Qwen2.5-0.5B-Instruct")
    )
    hosted = ProjectSettings(teacher=TeacherSpec("endpoint", "gpt-5", "https://api.openai.com/v1"))
    names = [
        project_name(desk, settings, quick=quick) for settings in (starter, other, hosted) for quick in (False, True)
    ]
    assert names[:3] == ["bench-desk", "bench-desk-quick", "bench-desk-Qwen2.5-0.5B-Instruct"]
    assert len(set(names)) == 6
    long_name = ProjectSettings(student_base="n" * 120)
    assert project_name(desk, long_name, quick=True) != project_name(desk, long_name, quick=False)
    assert all(len(project_name(desk, long_name, quick=quick)) == 100 for quick in (False, True))
