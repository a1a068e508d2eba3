"""The proof that a GGUF file answers like the weights it was made from, by asking llama.cpp's own server.

First the input: its template and tokenizer must turn a question into exactly the ids that the student was trained on.
Then the output: the tokens of its greedy answers are scored by the weights. unslothai/unsloth#976 and #3899 show what
goes wrong without this check. Knows nothing of how the file was made.
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
_MOST_TOKENS = 128  # per answer
# Rounding to 8 bits changes a log-probability of a small model by a few hundredths; a wrong tensor, norm or rotation
# by whole nats.
_MEAN_DIFFERENCE = 0.5
_TURNS = (Message("user", "Is it open?"), Message("assistant", "Yes."), Message("user", "¿Y mañana? 🙂\n\n - <b> x"))


def check_parity(
    context: JobContext, server: Path, gguf: Path, merged: Path, chat: "ChatFormat", questions: Sequence[Question]
) -> Parity:
    """Have `server` answer some of the `questions` from the `gguf` file; score its answers with the `merged` weights.

    Raises `ModelError` if it reads a question differently, does not end its turn, or answers like another model; and
    `JobStopped`.
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
            "llama.cpp does not read questions the way the student was trained to.",
            f"“{clean_line(messages[-1].content)[:80]}” is {_ids_text(chat, ids)} in training, "
            f"{_ids_text(chat, found)} there.",
            "Try a newer llama.cpp, or export the merged form, for a server that reads the model's own template.",
        )


def _ids_text(chat: "ChatFormat", ids: Sequence[int]) -> str:
    return f"{len(ids)} tokens (“{clean_line(chat.text_of(ids))[:120]}”)"


def _compared(merged: Path, chat: "ChatFormat", contexts: list[list[int]], answers: list[GreedyAnswer]) -> Parity:
    from engine.model.load import load_base
    from engine.model.score import ScoreRow, score

    for answer in answers:
        if any(token in chat.stop_ids for token in answer.ids[:-1]):
            raise ModelError(
                "llama.cpp does not end an answer where the student does.",
                f"It continues after “{clean_line(chat.text_of([*chat.stop_ids][:1]))}”.",
                "Try a newer llama.cpp, which may know this model's end-of-turn token, or export the merged form.",
            )
    asked = [(ids, answer) for ids, answer in zip(contexts, answers, strict=True) if answer.ids]
    if not asked:
        raise ModelError(
            "llama.cpp gives no answers.", "Every greedy answer is empty.", "Export the merged form instead."
        )
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
            "Its log-probabilities do not belong to the tokens of its answers.",
            "Update and rebuild llama.cpp, then export again.",
        )
    tokens = sum(len(answer.ids) for _, answer in asked)
    found = Parity(len(rows), tokens, same, sum(differences) / len(differences), max(differences))
    if not found.mean_difference <= _MEAN_DIFFERENCE:
        raise ModelError(
            "The converted model does not answer like the student.",
            f"The log-probabilities of its tokens differ by {found.mean_difference:.2f} nats on average.",
            "Try a newer llama.cpp or more bits, or export the merged form.",
        )
    return found


def _placed(chat: "ChatFormat", answer: GreedyAnswer) -> list[tuple[int, float]]:
    """Pair log-probabilities with the places of their tokens; none if it is unclear which tokens they belong to."""
    ends = range(1, len(answer.ids) + 1)
    whole = [end - 1 for end in ends if chat.ends_whole(answer.ids[:end])]
    if [answer.ids[place] for place in whole] != [token for token, _ in answer.logprobs]:
        return []
    return [(place, value) for place, (_, value) in zip(whole, answer.logprobs, strict=True)]
