"""Projects for tests of the release pane: runs with adapters, and the files of their releases."""

import hashlib
from pathlib import Path

from engine.paths import Home
from engine.records.release import Parity, ReleaseKind
from tests.tui.seeds import add_dataset, add_evaluation, add_examples, add_run, make_project

CARD = "---\nlibrary_name: peft\n---\n# A model with its prompt inside\n\nA prompt was distilled into these weights."


def write_release(folder: Path, weights: bytes = b"w" * 5_000_000) -> None:
    """Write the files of a release, as an export does."""
    folder.mkdir(parents=True)
    files = {"README.md": CARD.encode(), "adapter_config.json": b"{}" * 300, "adapter_model.safetensors": weights}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    (folder / "SHA256SUMS").write_text(sums)


def make_runs(home: Home, *, releases: int = 0, evaluated: bool = True) -> Path:
    """A run with an adapter and `releases` exports of it; the folder of the second is missing."""
    with make_project(home) as project:
        add_examples(project)
        run_id = add_run(project, add_dataset(project), done=True)
        adapter = project.folder / project.runs.get(run_id).folder / "adapter"
        adapter.mkdir(parents=True)
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            (adapter / name).write_bytes(b"a" * 1_000)
        if evaluated:
            add_evaluation(project, run_id)
        for number in range(1, releases + 1):
            folder = project.folder / "releases" / f"adapter-{number}"
            if number != 2:
                write_release(folder)
            kind: ReleaseKind = "gguf" if number == 1 else "adapter"
            parity = Parity(8, 233, 233, 0.0008, 0.004) if kind == "gguf" else None
            project.releases.add(kind, run_id, f"releases/adapter-{number}", "ab" * 32, parity)
        return project.folder
