"""Which arms a project has to offer, and which it refuses by their names."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.paths import Home
from engine.serving.catalog import Catalog
from engine.serving.requests import Refusal
from tests.trained import make_tiny_adapter, make_tiny_base, make_trained_project


def test_a_dora_adapter_and_whole_layers_are_served_whole_or_not_at_all(private_home: Path, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base")
    adapter = make_tiny_adapter(base, tmp_path / "adapter")
    with make_trained_project(Home.locate(), base, adapter) as project:
        first = project.runs.get(1)
        made = project.runs.add(first.dataset_sha256, replace(first.config, adapter="dora"))
        make_tiny_adapter(base, project.folder / made.folder / "adapter", kind="dora")
        catalog = Catalog(project.folder, project.home, str(base))
        for name in ("run-1@60", "run-2", "run-2@0", "run-2@100+prompt"):
            assert catalog.find(name).adapter is not None
        with pytest.raises(Refusal, match="DoRA"):
            catalog.find("run-2@60")
        whole = project.runs.add(first.dataset_sha256, replace(first.config, adapter="full"))
        make_tiny_adapter(base, project.folder / whole.folder / "adapter", kind="full")
        assert catalog.find("run-3@100").adapter is not None
        with pytest.raises(Refusal, match="whole layers"):
            catalog.find("run-3@60")


def test_a_run_over_four_bits_is_of_another_base(private_home: Path, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base")
    adapter = make_tiny_adapter(base, tmp_path / "adapter")
    with make_trained_project(Home.locate(), base, adapter) as project:
        first = project.runs.get(1)
        held = replace(first.config, quantize_base="nf4")
        made = project.runs.add(first.dataset_sha256, held)
        make_tiny_adapter(base, project.folder / made.folder / "adapter")
        plain, quantized = (Catalog(project.folder, project.home, one.loaded_base) for one in (first.config, held))
        assert "run-1" in plain.names()
        assert "run-2" not in plain.names()
        assert "run-2" in quantized.names()
        with pytest.raises(Refusal, match="in nf4; this server serves"):
            plain.find("run-2")
