"""The catalogue of arms that a project offers, and the names that it refuses."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.paths import Home
from engine.serving.catalog import Catalog
from engine.serving.requests import RequestRefusedError
from tests.trained import make_tiny_adapter, make_tiny_base, make_trained_project


def test_dora_and_full_adapters_are_served_only_at_strength_0_or_100(private_home: Path, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base")
    adapter = make_tiny_adapter(base, tmp_path / "adapter")
    with make_trained_project(Home.locate(), base, adapter) as project:
        first = project.runs.get(1)
        made = project.runs.add(first.dataset_sha256, replace(first.config, adapter="dora"))
        make_tiny_adapter(base, project.folder / made.folder / "adapter", kind="dora")
        catalog = Catalog(project.folder, project.home, str(base))
        for name in ("run-1@60", "run-2", "run-2@0", "run-2@100+prompt"):
            assert catalog.find(name).adapter is not None
        with pytest.raises(RequestRefusedError, match="DoRA"):
            catalog.find("run-2@60")
        whole = project.runs.add(first.dataset_sha256, replace(first.config, adapter="full"))
        make_tiny_adapter(base, project.folder / whole.folder / "adapter", kind="full")
        assert catalog.find("run-3@100").adapter is not None
        with pytest.raises(RequestRefusedError, match="whole layers"):
            catalog.find("run-3@60")


def test_run_over_a_four_bit_base_is_not_served_with_the_plain_base(private_home: Path, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base")
    adapter = make_tiny_adapter(base, tmp_path / "adapter")
    with make_trained_project(Home.locate(), base, adapter) as project:
        first = project.runs.get(1)
        four_bit = replace(first.config, quantize_base="nf4")
        made = project.runs.add(first.dataset_sha256, four_bit)
        make_tiny_adapter(base, project.folder / made.folder / "adapter")
        plain, quantized = (
            Catalog(project.folder, project.home, config.loaded_base) for config in (first.config, four_bit)
        )
        assert "run-1" in plain.names()
        assert "run-2" not in plain.names()
        assert "run-2" in quantized.names()
        with pytest.raises(RequestRefusedError, match="in nf4; this server serves"):
            plain.find("run-2")
