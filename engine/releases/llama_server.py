"""llama.cpp's server for one GGUF file, on a socket in a folder that only this user can enter, and its client.

Knows nothing of why it is asked.
"""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.clean import REASON_CELLS, clean_line
from engine.errors import ModelError
from engine.jobs.child import as_child
from engine.records.prompt import Message, as_plain
from engine.redact import without_keys

if TYPE_CHECKING:
    import httpx2  # imported late, so that listing releases stays fast

_STARTS_WITHIN_S, _ASKS_EVERY_S = 900.0, 0.1
_ANSWERS_WITHIN_S = 900.0
_ENDS_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class GreedyAnswer:
    """A greedy answer: its tokens, and the log-probabilities that the server reports.

    The server reports none for a token that ends inside a multi-byte character.
    """

    ids: tuple[int, ...]
    logprobs: tuple[tuple[int, float], ...]  # ids in the answer's order, with their log-probabilities in nats


class LlamaServer:
    """A running server. Every method raises `ModelError` if it gives no usable answer."""

    def __init__(self, client: "httpx2.Client") -> None:
        self._client = client

    def question_text(self, messages: Sequence[Message]) -> str:
        """The text that the template makes of a conversation, without the token that starts every text."""
        text = self._ask("/apply-template", {"messages": as_plain(messages)}).get("prompt")
        if not isinstance(text, str):
            raise _useless("/apply-template", "it returns no text")
        return text

    def question_ids(self, messages: Sequence[Message]) -> list[int]:
        """The ids of a conversation, by the server's own template and tokenizer."""
        words = {"content": self.question_text(messages), "add_special": True, "parse_special": True}
        read = self._ask("/tokenize", words)
        return _whole_numbers("/tokenize", read.get("tokens"))

    def answer(self, ids: Sequence[int], most_tokens: int) -> GreedyAnswer:
        """The server's greedy answer to `ids`."""
        asked: dict[str, object] = {
            "prompt": list(ids), "n_predict": most_tokens, "temperature": 0, "n_probs": 1, "cache_prompt": False,
            "return_tokens": True,
        }  # fmt: skip
        found = self._ask("/completion", asked)
        steps = found.get("completion_probabilities", [])
        if not isinstance(steps, list) or not all(
            isinstance(step, dict) and type(step.get("id")) is int and isinstance(step.get("logprob"), int | float)
            for step in steps
        ):
            raise _useless("/completion", "it returns no log-probabilities")
        logprobs = tuple((cast("int", step["id"]), float(step["logprob"])) for step in steps)
        return GreedyAnswer(tuple(_whole_numbers("/completion", found.get("tokens"))), logprobs)

    def _ask(self, path: str, words: Mapping[str, object]) -> dict[str, object]:
        import httpx2

        try:
            answer = self._client.post(path, json=words)
            row: object = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise _useless(path, clean_line(str(error)) or type(error).__name__) from error
        if answer.status_code != 200 or not isinstance(row, dict):
            raise _useless(path, clean_line(answer.text, REASON_CELLS))
        return cast("dict[str, object]", row)


@contextmanager
def llama_server(program: Path, model: Path, context_length: int, words: Sequence[str] = ()) -> Iterator[LlamaServer]:
    """Serve the model while inside; `words` are additional arguments. Raises `ModelError` if that fails.

    Runs on the CPU: no job holds a GPU for it.
    """
    import httpx2

    with ExitStack() as held:
        try:
            name = held.enter_context(tempfile.TemporaryDirectory(prefix="distill-tui-", ignore_cleanup_errors=True))
            path, log = Path(name) / "llama.sock", Path(name) / "log.txt"
            command = [str(program), "--model", str(model), "--host", str(path), "--ctx-size", str(context_length)]
            command += ["--parallel", "1", "--jinja", "--device", "none", *words]
            output = held.enter_context(log.open("wb"))
            process = subprocess.Popen(
                as_child(command), env=without_keys(os.environ), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            held.callback(_end, process)
            transport = httpx2.HTTPTransport(uds=str(path))
            client = held.enter_context(
                httpx2.Client(transport=transport, base_url="http://llama", timeout=_ANSWERS_WITHIN_S)
            )
            _await(client, process, path, log)
        except OSError as error:
            raise ModelError(
                "Cannot run llama-server.",
                f"{program}: {clean_line(str(error))}.",
                "Check that it starts on its own, and that there is space for temporary files.",
            ) from error
        yield LlamaServer(client)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await(client: "httpx2.Client", process: "subprocess.Popen[bytes]", path: Path, log: Path) -> None:
    import httpx2

    until = time.monotonic() + _STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < until:
        with suppress(httpx2.HTTPError):
            if _listens(path) and client.get("/health").status_code == 200:
                return
        time.sleep(_ASKS_EVERY_S)
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    reasons = [line for line in lines if "error" in line.lower()][:1] or lines[-1:]  # the first causes the others
    raise ModelError(
        "llama-server cannot load the converted model.",
        f"It says: {clean_line(reasons[0], REASON_CELLS) if reasons else 'nothing'}",
        "Rebuild llama.cpp from the same commit as its converter, or export the merged form instead.",
    )


def _listens(path: Path) -> bool:
    """Whether the server listens. Checked with a plain socket: a client whose connection is refused leaks its own."""
    with socket.socket(socket.AF_UNIX) as own:
        return own.connect_ex(str(path)) == 0


def _whole_numbers(path: str, values: object) -> list[int]:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise _useless(path, "it returns no tokens")
    return cast("list[int]", values)


def _useless(path: str, reason: str) -> ModelError:
    return ModelError(
        "llama-server gave no usable answer.", f"{path}: {reason}.", "Update and rebuild llama.cpp, then export again."
    )
