"""One of two processes that shard the model of each family: `python -m …sharded_family_process FOLDER RANK`.

Writes to `RANK.json` in FOLDER, per family, by how much the logits differ from those of the whole model, and the share
of its bytes that the rank holds.
"""

import json
import sys
from pathlib import Path

import torch

from engine.model.load import load_base, read_base
from engine.training.ranks import Ranks, connected
from engine.training.sharding import held_bytes, share_layers


def main() -> None:
    folder, rank = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    results = {}
    with connected(Ranks(rank, 2, rank, 2), folder) as ranks:
        for base in sorted(folder.glob("base-*")):
            ids = torch.arange(1, 21)[None] * 7 % 200
            expected = load_base(base, device="cpu", dtype="float32").base(input_ids=ids).logits
            local = read_base(base, device="cpu", dtype="float32", placed=False)
            share_layers(local, ranks)
            held, logits = held_bytes(local), local.base(input_ids=ids).logits
            results[base.name] = (float((logits - expected).abs().max()), held.own_bytes / held.whole_bytes)
    (folder / f"{rank}.json").write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
