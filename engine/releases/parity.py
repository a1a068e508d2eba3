"""The proof that a GGUF file answers like the weights that it was made from: llama.cpp's own server is asked.

First what it reads: its template and tokenizer must make of a question the very ids that the student was trained on.
Then what it answers: the tokens of its greedy answers, scored by the weights (unslothai/unsloth#976 and #3899 are what
goes wrong without it). Knows nothing of how the file was made.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.clean import clean_line
from engine.errors import ModelError
from engine.jobs.context import JobContext
from engine.jobs.protocol import Progress
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.release import Parity
from engine.releases.llama_server import GreedyAnswer, LlamaServer, llama_server

if TYPE_CHECKING:
    from engine.model.chat_format import ChatFormat

QUESTIONS = 8
_MOST_TOKENS = 128  # of an answer
# Rounding to 8 bits moves a log-probability of a small model by some hundredths; a wrong tensor, norm or rotation by
# whole nats.
_MEAN_DIFFERENCE = 0.5
_TURNS = (Message("user", "Is it open?"), Message("assistant", "Yes."), Message("user", "¿Y mañana? 🙂\n\n - <b> x"))


def check_parity(
    context: JobContext, server: Path, gguf: Path, merged: Path, chat: "ChatFormat", questions: Sequence[Question]
) -> Parity:
    """Ask `server` some of the `questions` with the `gguf` file, and score its answers with the `merged` weights.

    Raises `ModelError` where it reads a question otherwise, does not end its turn, or answers as another model would;
    and `JobStopped`.
    """
    asked = [question.messages for question in questions[:QUESTIONS]] or [_TURNS[:1]]
    read = [(chat.question_ids(messages), messages) for messages in (*asked, _TURNS)]
    longest = max(len(ids) for ids, _ in read) + _MOST_TOKENS
    contexts, answers = [ids for ids, _ in read[: len(asked)]], list[GreedyAnswer]()
    context.emit(Progress(0, len(contexts), "asking llama-server"))
    with llama_server(server, gguf, min(longest, chat.context_length)) as served:
        for ids, messages in read:
            _check_reading(served, chat, ids, messages)
        for ids in contexts:
            context.checkpoint()
            answers.append(served.answer(ids, _MOST_TOKENS))
            context.emit(Progress(len(answers), len(contexts), "asking llama-server"))
    context.checkpoint()
    return _compared(merged, chat, contexts, answers)


def _check_reading(served: LlamaServer, chat: "ChatFormat", ids: list[int], messages: Sequence[Message]) -> None:
    found = served.question_ids(messages)
    if found != ids:
        raise ModelError(
            "llama.cpp reads a question otherwise than the student was trained to.",
            f"«{clean_line(messages[-1].content)[:80]}» is {_told(chat, ids)} here, and {_told(chat, found)} there.",
            "A newer llama.cpp may read it right. Else release the run merged, for a server that reads its template.",
        )


def _told(chat: "ChatFormat", ids: Sequence[int]) -> str:
    return f"{len(ids)} tokens («{clean_line(chat.text_of(ids))[:120]}»)"


def _compared(merged: Path, chat: "ChatFormat", contexts: list[list[int]], answers: list[GreedyAnswer]) -> Parity:
    from engine.model.load import load_base
    from engine.model.score import ScoreRow, score

    for answer in answers:
        if any(token in chat.stop_ids for token in answer.ids[:-1]):
            raise ModelError(
                "llama.cpp does not end the answer where the student does.",
                f"It goes on after «{clean_line(chat.text_of([*chat.stop_ids][:1]))}».",
                "A newer llama.cpp may know this model's end of a turn. Else release the run merged.",
            )
    asked = [(ids, answer) for ids, answer in zip(contexts, answers, strict=True) if answer.ids]
    if not asked:
        raise ModelError("llama.cpp answers nothing.", "Every greedy answer is empty.", "Release the run merged.")
    rows = [ScoreRow(ids, answer.ids) for ids, answer in asked]
    scored = score(load_base(merged, device="cpu", dtype="float32"), rows, k=1)
    same, differences = 0, list[float]()
    for (_, answer), top in zip(asked, scored, strict=True):
        same += sum(one == other for one, other in zip(top.ids[:, 0].tolist(), answer.ids, strict=True))
        own = top.completion_logprobs.tolist()
        differences += [abs(own[place] - value) for place, value in _placed(chat, answer)]
    if not differences:
        raise ModelError(
            "llama-server gave no usable answer.",
            "Its log-probabilities are not those of the tokens that it answered.",
            "Build llama.cpp anew, then export again.",
        )
    tokens = sum(len(answer.ids) for _, answer in asked)
    found = Parity(len(rows), tokens, same, sum(differences) / len(differences), max(differences))
    if not found.mean_difference <= _MEAN_DIFFERENCE:
        raise ModelError(
            "The converted model answers otherwise than the student.",
            f"The log-probabilities of its tokens differ by {found.mean_difference:.2f} nats on average.",
            "Use a newer llama.cpp, or more bits. Else release the run merged.",
        )
    return found


def _placed(chat: "ChatFormat", answer: GreedyAnswer) -> list[tuple[int, float]]:
    """The log-probabilities with the places of their tokens; none where it is not plain which tokens they are of."""
    ends = range(1, len(answer.ids) + 1)
    whole = [end - 1 for end in ends if chat.ends_whole(answer.ids[:end])]
    if [answer.ids[place] for place in whole] != [token for token, _ in answer.told]:
        return []
    return [(place, value) for place, (_, value) in zip(whole, answer.told, strict=True)]
