"""A merged model as one GGUF file for llama.cpp and Ollama: converted, and compared with the weights it came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.jobs.context import JobContext
from engine.jobs.protocol import Note
from engine.records.question import Question
from engine.records.release import GgufType, Parity
from engine.releases.llama_cpp import LlamaCpp, convert
from engine.releases.modelfile import MODELFILE, modelfile
from engine.releases.parity import check_parity

if TYPE_CHECKING:
    from engine.model.chat_format import ChatFormat

WEIGHTS = "model.gguf"


@dataclass(frozen=True, slots=True)
class Converted:
    """The result of a conversion."""

    parity: Parity | None  # None: no llama-server was available to compare with
    modelfile: bool  # False: the chat template does more than put fixed text around turns


def write_gguf(
    context: JobContext,
    merged: Path,
    folder: Path,
    chat: "ChatFormat",
    questions: Sequence[Question],
    llama_cpp: LlamaCpp,
    gguf_type: GgufType,
    temperature: float,
) -> Converted:
    """Convert the whole model in the folder `merged`; write its GGUF file and Modelfile to `folder`.

    Raises `ModelError` and `JobStopped`.
    """
    weights = folder / WEIGHTS
    context.emit(Note("converting with llama.cpp"))
    convert(context, llama_cpp, merged, weights, gguf_type)
    parity = None
    if llama_cpp.server is not None:
        parity = check_parity(context, llama_cpp.server, weights, merged, chat, questions)
    if (texts := chat.turn_texts) is not None:
        stops = [chat.text_of([token]) for token in sorted(chat.stop_ids)]
        text = modelfile(WEIGHTS, texts, chat.begin_token, stops, temperature)
        (folder / MODELFILE).write_text(text, encoding="utf-8")
    return Converted(parity, texts is not None)
