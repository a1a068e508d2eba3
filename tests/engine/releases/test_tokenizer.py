"""What goes beside a release's weights: how images are prepared, if and only if the weights take any."""

import json
from pathlib import Path

import pytest

from engine.releases.tokenizer import write_processor


@pytest.mark.parametrize("takes_images", [True, False])
def test_preparation_of_images_goes_with_weights_that_take_them(takes_images: bool, tmp_path: Path) -> None:
    base, made = tmp_path / "base", tmp_path / "made"
    base.mkdir()
    made.mkdir()
    settings = {"image_processor_type": "PixtralImageProcessor", "auto_map": {"AutoProcessor": "evil.Processor"}}
    (base / "preprocessor_config.json").write_text(json.dumps(settings))
    (made / "config.json").write_text(json.dumps({"vision_config": {}} if takes_images else {}))
    write_processor(base, made)
    found = {path.name: json.loads(path.read_text()) for path in made.iterdir() if path.name != "config.json"}
    expected = {"preprocessor_config.json": {"image_processor_type": "PixtralImageProcessor"}}
    assert found == (expected if takes_images else {})
