"""The job that runs lm-eval: with a stand-in program, and once with the real one on a tiny model, offline."""

import json
import shutil
import stat
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from engine.errors import JobError, JobStopped, NotFoundError, UsageError
from engine.harness.job import failure, run
from engine.harness.program import check_tasks, find_program, find_release, name_program
from engine.jobs.context import JobContext, StopFlag
from engine.jobs.protocol import Event, Note, Progress
from engine.paths import Home
from engine.project import Project
from engine.records.options import ExportOptions, HarnessOptions
from engine.releases.contents import folder_of
from tests.engine.cli.calling import fail
from tests.engine.harness.lm_eval_output import GROUP, NO_MODULE, NO_NETWORK, UNKNOWN_TASK
from tests.trained import make_tiny_adapter, make_tiny_base, make_trained_project, release, use_one_thread

# Behaves like lm-eval: prints a progress bar, then writes a results file. The release scores a little worse.
STAND_IN = f"""#!{sys.executable}
import json, pathlib, sys
config = json.loads(pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
print("\\rRunning requests:  50%|#####     | 1/2 [00:00<00:00]\\rRunning requests: 100%|##########| 2/2 [00:00<00:00]")
data = json.loads({json.dumps(json.dumps(GROUP))})
if "peft" in config["model_args"]:
    data["results"]["ifeval"]["prompt_level_strict_acc,none"] = 0.3
folder = pathlib.Path(config["output_path"]) / "__model"
folder.mkdir(parents=True)
(folder / "results_2026.json").write_text(json.dumps(data))
"""


class RecordingContext(JobContext):
    """A job context that records its events and can stop its job."""

    def __init__(self, project: Project, options: HarnessOptions) -> None:
        self.stop, self.events = StopFlag(), list[Event]()
        super().__init__(project, project.jobs.add(options), self.stop)

    def emit(self, event: Event) -> None:
        self.events.append(event)
        super().emit(event)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("models") / "tiny, base=1")  # paths may contain such characters


@pytest.fixture(scope="session")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_adapter(base, tmp_path_factory.mktemp("adapter"))


@pytest.fixture
def project(private_home: Path, base: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    use_one_thread(monkeypatch)
    with make_trained_project(Home.locate(), base, adapter) as project:
        yield project


@pytest.fixture
def released(project: Project) -> Project:
    release(project)
    return project


@pytest.fixture(autouse=True)
def unset_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program is named before a test names one, or afterwards."""
    for variable in ("LM_EVAL", "LM_EVAL_TASKS"):
        monkeypatch.setenv(variable, "")


def use_program(folder: Path, text: str = STAND_IN) -> None:
    path = folder / "lm_eval"
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    name_program(str(path))


def test_stored_time_includes_the_work_of_stopped_processes(released: Project, tmp_path: Path) -> None:
    use_program(tmp_path)
    options = HarnessOptions(1, ("ifeval",))
    job = released.jobs.add(options)
    released.jobs.write_work(job.id, "release", 500.0, 0)  # done by an earlier, stopped process
    run(JobContext(released, job, StopFlag()), options)
    assert released.harness.standing(1)[0].seconds >= 500


def test_base_and_release_are_measured_with_the_same_settings(released: Project, tmp_path: Path) -> None:
    use_program(tmp_path)
    options = HarnessOptions(1, ("ifeval", "mmlu_stem"), limit=100)
    context = RecordingContext(released, options)
    run(context, options)
    (result,) = released.harness.standing(1)
    assert (result.release_id, result.limit, result.version) == (1, 100, "0.4.13")
    first = result.scores[0]
    assert (first.base.value, first.released.value, first.base.stderr) == (0.31, 0.3, 0.0465)
    bars = [(event.note, event.done, event.total) for event in context.events if isinstance(event, Progress)]
    assert bars == [(f"{name}: Running requests", done, 2) for name in ("base", "release") for done in (1, 2)]
    configs = {
        path.parent.name.partition("-")[0]: json.loads(path.read_text()) for path in context.folder.glob("*/*.json")
    }
    release = folder_of(released, released.releases.all()[0])
    assert configs["release"]["model_args"].pop("peft") == str(release)
    assert configs["base"].pop("output_path") != configs["release"].pop("output_path")
    assert configs["base"] == configs["release"]
    assert configs["base"]["model_args"]["tokenizer"] == str(release)
    assert configs["base"]["limit"] == 100
    assert configs["base"]["trust_remote_code"] is False
    context.events.clear()
    run(context, options)  # resumed: nothing is measured twice
    assert not [event for event in context.events if isinstance(event, Progress)]
    assert len(released.harness.standing(1)) == 1  # the newer result replaces the older one
    context.close()


def test_another_lm_eval_measures_again(released: Project, tmp_path: Path) -> None:
    options = HarnessOptions(1, ("ifeval", "mmlu_stem"), limit=100)
    context = RecordingContext(released, options)
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        use_program(tmp_path / name)
        context.events.clear()
        run(context, options)
        assert [event for event in context.events if isinstance(event, Progress)]
    context.close()


def test_missing_program_named_in_the_environment_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LM_EVAL", str(tmp_path / "gone"))
    with pytest.raises(NotFoundError, match="LM_EVAL names"):
        name_program()
    use_program(tmp_path)
    monkeypatch.setenv("LM_EVAL_TASKS", str(tmp_path / "gone"))
    with pytest.raises(NotFoundError, match="LM_EVAL_TASKS names"):
        name_program()


def test_merged_release_is_measured_without_its_base(project: Project, tmp_path: Path) -> None:
    release(project, "merged")
    use_program(tmp_path)
    options = HarnessOptions(1, ("ifeval",))
    context = RecordingContext(project, options)
    run(context, options)
    context.close()
    (config,) = [json.loads(path.read_text()) for path in context.folder.glob("release-*/*.json")]
    assert config["model_args"]["pretrained"] == str(folder_of(project, find_release(project, None)))
    assert "peft" not in config["model_args"]


def test_stopped_job_kills_its_child_process(released: Project, tmp_path: Path) -> None:
    use_program(tmp_path, f"#!{sys.executable}\nimport os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n")
    options = HarnessOptions(1, ("ifeval",))
    context = RecordingContext(released, options)

    def stop_when_started() -> None:
        while not list(context.folder.glob("base-*/lm-eval.json")):
            time.sleep(0.01)
        context.stop.up = True

    thread = threading.Thread(target=stop_when_started)
    thread.start()
    with pytest.raises(JobStopped):
        run(context, options)
    thread.join()
    assert not [child for child in psutil.Process().children() if "lm_eval" in " ".join(child.cmdline())]
    assert not released.harness.standing(1)
    context.close()


def test_failed_program_fails_the_job_with_its_reason(released: Project, tmp_path: Path) -> None:
    use_program(tmp_path, f"#!{sys.executable}\nprint({chr(10).join(NO_NETWORK)!r})\nraise SystemExit(1)\n")
    options = HarnessOptions(1, ("ifeval",))
    context = RecordingContext(released, options)
    with pytest.raises(JobError, match=r"Cannot download a task.*google/IFEval.*HF_HOME.*--include-path"):
        run(context, options)
    assert not released.harness.standing(1)
    context.close()


@pytest.mark.parametrize(
    ("status", "lines", "message"),
    [
        (1, UNKNOWN_TASK, "does not know the task nosuch"),
        (1, NO_NETWORK, "Cannot download"),
        (1, NO_MODULE, "needs nltk"),
        (1, ("Traceback", "ValueError: \x1b[31mbad\x1b[0m"), "bad"),
        (-9, (), "killed by signal 9"),
        (3, (), "It printed nothing"),
    ],
)
def test_failure_says_what_happened_and_what_to_do(status: int, lines: tuple[str, ...], message: str) -> None:
    error = failure("base", status, lines)
    assert message in str(error)
    assert error.next
    assert "\x1b" not in str(error)


def test_missing_release_program_or_task_is_refused_before_a_job_starts(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_project = ("--project", str(project.folder))
    assert "distill-tui export" in fail("harness", "--tasks", "ifeval", *in_project)["next"]
    release(project)
    assert "/no/lm_eval" in fail("harness", "--tasks", "ifeval", "--lm-eval", "/no/lm_eval", *in_project)["message"]
    monkeypatch.setattr("engine.harness.program.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    assert "distill-tui[harness]" in fail("harness", "--tasks", "ifeval", *in_project)["next"]
    with pytest.raises(NotFoundError, match="The newest one is 1"):
        find_release(project, 7)
    (folder_of(project, find_release(project, 1)) / "adapter_config.json").unlink()
    with pytest.raises(NotFoundError, match="release is gone"):
        find_release(project, 1)
    with pytest.raises(UsageError, match="No task"):
        check_tasks((" , ",))
    assert check_tasks(("a,b", "b, c")) == ("a", "b", "c")
    assert {job.kind for job in project.jobs.all()} == {"export"}


def test_release_overwritten_by_another_is_not_measured(released: Project, tmp_path: Path) -> None:
    first = released.runs.get(1)
    other = released.runs.add(first.dataset_sha256, first.config)
    shutil.copytree(released.folder / first.folder, released.folder / other.folder, dirs_exist_ok=True)
    for run_id in (first.id, other.id):  # the model card names the run
        release(released, "adapter", tmp_path / "release", run_id=run_id, force=True)
    with pytest.raises(NotFoundError, match="release is gone"):
        find_release(released, 2)
    assert find_release(released, 3).run_id == other.id


def test_gguf_release_is_refused_and_skipped_by_default(released: Project) -> None:
    released.releases.add("gguf", 1, "releases/run-1-gguf", "ab")
    assert find_release(released, None).id == 1
    with pytest.raises(UsageError, match="--form merged"):
        find_release(released, 2)


def test_adapter_of_a_4_bit_base_is_refused(project: Project) -> None:
    first = project.runs.get(1)
    run = project.runs.add(first.dataset_sha256, replace(first.config, quantize_base="nf4"))
    (project.folder / run.folder).mkdir(exist_ok=True)
    (project.folder / first.folder / "adapter").rename(project.folder / run.folder / "adapter")
    release(project, run_id=run.id)
    with pytest.raises(UsageError, match="--form merged"):
        find_release(project, None)


def test_project_files_cannot_name_a_program_to_run(
    released: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not {"lm_eval", "include_path", "llama_cpp"} & {
        field.name for options in (HarnessOptions, ExportOptions) for field in fields(options)
    }
    for variable in ("LM_EVAL", "LM_EVAL_TASKS"):
        use_program(tmp_path)
        monkeypatch.setenv(variable, "jobs")  # relative to the project's folder, in which jobs run
        options = HarnessOptions(1, ("ifeval",))
        context = RecordingContext(released, options)
        with pytest.raises(NotFoundError, match=rf"{variable} is not an absolute path\. It is set to jobs"):
            run(context, options)
        context.close()
        monkeypatch.setenv(variable, "")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("lm_eval") is None, reason="the extra `harness` is not installed")
def test_real_lm_eval_measures_a_tiny_model_on_local_data(
    released: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    data = [{"question": f"Number {n} is", "choices": ["odd", "even"], "answer": (n + 1) % 2} for n in range(12)]
    (tmp_path / "parity.json").write_text(json.dumps(data))
    (tmp_path / "parity.yaml").write_text(
        json.dumps(
            {
                "task": "parity",
                "dataset_path": "json",
                "dataset_kwargs": {"data_files": {"test": str(tmp_path / "parity.json")}},
                "test_split": "test",
                "output_type": "multiple_choice",
                "doc_to_text": "{{question}}",
                "doc_to_choice": "{{choices}}",
                "doc_to_target": "answer",
                "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
            }
        )
    )
    options = HarnessOptions(1, ("parity",), limit=10)
    name_program(tasks=str(tmp_path))
    assert find_program()[0] == sys.executable
    context = RecordingContext(released, options)
    run(context, options)
    (result,) = released.harness.standing(1)
    (score,) = result.scores
    assert (score.task, score.metric, score.questions, score.higher_is_better) == ("parity", "acc", 10, True)
    for each in (score.base, score.released):
        assert each.stderr == pytest.approx((each.value * (1 - each.value) / 9) ** 0.5)  # of a share of ten answers
    assert any(isinstance(event, Progress) and "loglikelihood" in event.note for event in context.events)
    with pytest.raises(JobError, match="does not know the task nosuch"):
        run(context, replace(options, tasks=("nosuch",)))
    assert any(isinstance(event, Note) for event in context.events)
    context.close()
