"""llama.cpp's server over one GGUF file, on a socket in a folder that only this user can enter; and what it answers.

Knows nothing of why it is asked.
"""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx2

from engine.clean import clean_line
from engine.errors import ModelError
from engine.records.prompt import Message
from engine.redact import without_keys

_STARTS_WITHIN_S, _ASKS_EVERY_S = 900.0, 0.1
_ANSWERS_WITHIN_S = 900.0
_ENDS_WITHIN_S = 10.0
_LONGEST_REASON = 300  # characters


@dataclass(frozen=True, slots=True)
class Answered:
    """A greedy answer: its tokens, the end of the turn included, each with its log-probability in nats."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    ended: bool  # by a token that ends a turn, and not by the limit


class LlamaServer:
    """A server that listens. Every method raises `ModelError` where it gives no usable answer."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def question_text(self, messages: Sequence[Message]) -> str:
        """The text that it makes of a conversation by the template, but for a token that it begins every text with."""
        told = [{"role": message.role, "content": message.content} for message in messages]
        text = self._ask("/apply-template", {"messages": told}).get("prompt")
        if not isinstance(text, str):
            raise _useless("/apply-template", "it tells no text")
        return text

    def question_ids(self, messages: Sequence[Message]) -> list[int]:
        """The ids that it would read for a conversation, by its own template and tokenizer."""
        words = {"content": self.question_text(messages), "add_special": True, "parse_special": True}
        read = self._ask("/tokenize", words)
        return _whole_numbers(read.get("tokens"))

    def answer(self, ids: Sequence[int], most_tokens: int) -> Answered:
        """Its greedy answer to `ids`."""
        asked: dict[str, object] = {
            "prompt": list(ids), "n_predict": most_tokens, "temperature": 0, "n_probs": 1, "cache_prompt": False
        }  # fmt: skip
        found = self._ask("/completion", asked)
        steps = found.get("completion_probabilities")
        if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
            raise _useless("/completion", "it tells no log-probabilities")
        tokens, logprobs = [step.get("id") for step in steps], [step.get("logprob") for step in steps]
        if not all(isinstance(value, int | float) for value in logprobs):
            raise _useless("/completion", "it tells no log-probabilities")
        return Answered(
            tuple(_whole_numbers(tokens)),
            tuple(float(value) for value in cast("list[float]", logprobs)),
            found.get("stop_type") == "eos",
        )

    def _ask(self, path: str, words: Mapping[str, object]) -> dict[str, object]:
        try:
            answer = self._client.post(path, json=words)
            row: object = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise _useless(path, clean_line(str(error)) or type(error).__name__) from error
        if answer.status_code != 200 or not isinstance(row, dict):
            raise _useless(path, clean_line(answer.text)[:_LONGEST_REASON])
        return cast("dict[str, object]", row)


@contextmanager
def llama_server(program: Path, model: Path, context_length: int, words: Sequence[str] = ()) -> Iterator[LlamaServer]:
    """While inside, the model is served; `words` are more of its command line. Raises `ModelError` where it fails."""
    with tempfile.TemporaryDirectory(prefix="distill-tui-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        path, log = folder / "llama.sock", folder / "log.txt"
        command = [str(program), "--model", str(model), "--host", str(path), "--ctx-size", str(context_length)]
        with log.open("wb") as output:
            try:
                process = subprocess.Popen(
                    [*command, "--parallel", "1", "--jinja", *words],
                    env=without_keys(os.environ), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                )  # fmt: skip
            except OSError as error:
                raise ModelError("llama-server cannot be run.", f"{program}: {error.strerror}.") from error
        transport = httpx2.HTTPTransport(uds=str(path))
        try:
            with httpx2.Client(transport=transport, base_url="http://llama", timeout=_ANSWERS_WITHIN_S) as client:
                _await(client, process, path, log)
                yield LlamaServer(client)
        finally:
            process.terminate()
            try:
                process.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(client: httpx2.Client, process: "subprocess.Popen[bytes]", path: Path, log: Path) -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < until:
        with suppress(httpx2.HTTPError):
            if _listens(path) and client.get("/health").status_code == 200:
                return
        time.sleep(_ASKS_EVERY_S)
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    told = [line for line in lines if "error" in line.lower()][:1] or lines[-1:]  # the first is the cause of the others
    raise ModelError(
        "llama-server could not load the converted model.",
        f"It says: {clean_line(told[0])[:_LONGEST_REASON] if told else 'nothing'}",
        "Build llama.cpp anew, from the same state as its converter; or release the run merged.",
    )


def _listens(path: Path) -> bool:
    """Asked by itself: a client whose connection is refused would leave its socket open."""
    with socket.socket(socket.AF_UNIX) as own:
        return own.connect_ex(str(path)) == 0


def _whole_numbers(values: object) -> list[int]:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise _useless("/tokenize", "it tells no tokens")
    return cast("list[int]", values)


def _useless(path: str, reason: str) -> ModelError:
    return ModelError(
        "llama-server gave no usable answer.", f"{path}: {reason}.", "Build llama.cpp anew, then export again."
    )
