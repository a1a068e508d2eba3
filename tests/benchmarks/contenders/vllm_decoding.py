"""Side: the same answers by vLLM on a CPU, whose cache also holds the prompt once (prefix caching).

Runs in vLLM's own environment: imports nothing of this program but `child`.
"""

import json
import os
from pathlib import Path

from tests.benchmarks.contenders.child import clocked, serve


class VllmDecoding:
    """The rows of `rows`, a file that our side has written. Reading prompt and questions is not measured, as there."""

    def __init__(self, options: dict[str, object]) -> None:
        # In this process, so that its CPU time is all there is; and on the cores that the system chooses.
        os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
        os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_NO_USAGE_STATS": "1"}
        from vllm import LLM

        self.tokens = int(str(options["tokens"]))
        self.rows: list[list[int]] = json.loads(Path(str(options["rows"])).read_text())
        longest = max(map(len, self.rows)) + self.tokens
        self.llm = LLM(model=str(options["model"]), dtype=str(options["dtype"]), max_model_len=longest)
        self._answers(1)

    def measure(self) -> dict[str, float]:
        with clocked() as first:
            self._answers(1)
        with clocked() as whole:
            self._answers(self.tokens)
        tokens = len(self.rows) * (self.tokens - 1)
        return {**whole, "tokens_per_cpu_s": tokens / (whole["cpu_s"] - first["cpu_s"])}

    def report(self) -> dict[str, object]:
        return {"answers": self._answers(self.tokens)}

    def _answers(self, tokens: int) -> list[list[int]]:
        from vllm import SamplingParams

        asked = SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True)
        prompts = [{"prompt_token_ids": row} for row in self.rows]
        return [list(each.outputs[0].token_ids) for each in self.llm.generate(prompts, asked, use_tqdm=False)]


if __name__ == "__main__":
    serve(VllmDecoding)
