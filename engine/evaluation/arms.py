"""A local model answering as an arm: with or without the prompt, with or without the adapter.

All local arms share one copy of the base in memory: the adapter is switched off for arms without one.
Knows nothing of rules or the store.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from statistics import median
from typing import TYPE_CHECKING

from engine.evaluation.outlook import SPEED_REQUESTS
from engine.evaluation.plan import Task
from engine.evaluation.recorder import RawAnswer, Recorder
from engine.records.evaluation import ArmName
from engine.records.options import EvaluateOptions
from engine.records.prompt import Prompt
from engine.records.question import Question

if TYPE_CHECKING:
    from engine.model.decode import Decoded
    from engine.model.local_model import LocalModel
    from engine.model.prompt_cache import PromptCache

_LESS_MEMORY = (
    "Free some of the device's memory and evaluate again, or decode fewer rows together (--batch-rows): stored answers "
    "are not generated again."
)
SPEED_TOKENS = 8


def out_of_memory_names(*arms: ArmName) -> AbstractContextManager[None]:
    """Within this context, running out of device memory raises a `ModelError` that names these arms."""
    from engine.model.memory import within_memory

    return within_memory(_LESS_MEMORY, f"The answers of {'arm' if len(arms) == 1 else 'arms'} {', '.join(arms)}")


class LocalArm:
    """A local model as one arm. `prompt` is what it sees; `adapter` says whether an adapter is on: the model's own, or
    the one that `other` switches to.

    `single_turn` promises that every question is one message, so that more of the prompt's tokens can be shared.
    """

    def __init__(
        self,
        name: ArmName,
        local: "LocalModel",
        prompt: Prompt | None,
        *,
        adapter: bool,
        other: Callable[[], AbstractContextManager[None]] | None = None,
        single_turn: bool = False,
    ) -> None:
        self.name = name
        self.adapter = adapter
        self._other = other or nullcontext
        self._local = local
        self._prompt = prompt
        self._single_turn = single_turn
        self._prefix: PromptCache | None = None

    def context_ids(self, question: Question) -> list[int]:
        """All ids before the answer."""
        if self._prompt is None:
            return self._local.format.question_ids(question.messages)
        return self._local.format.prompted_ids(self._prompt, question.messages)

    def switched(self) -> AbstractContextManager[None]:
        """Within this context, the model answers as this arm."""
        from engine.model.load import adapter_off

        return self._other() if self.adapter else adapter_off(self._local)

    def prefix(self) -> "PromptCache | None":
        """The prompt's keys and values, computed once; None without a prompt."""
        from engine.model.prompt_cache import PromptCache

        if self._prompt is not None and self._prefix is None:
            ids = self._local.format.prompt_prefix_ids(self._prompt, single_turn=self._single_turn)
            with self.switched():
                self._prefix = PromptCache.build(self._local, ids)
        return self._prefix

    def answer(
        self, tasks: Sequence[Task], options: EvaluateOptions, recorder: Recorder, *, shorter: bool = False
    ) -> None:
        """Answer every task, until `recorder` is interrupted. Raises ContextError if a task does not fit, and
        ModelError if there is not enough memory.

        `shorter`: a task that leaves too little room for the longest answer gets a shorter one.
        """
        from engine.model.decode import decode, limits_within

        rows = [self.context_ids(task.question) for task in tasks]
        most = options.max_answer_tokens
        writers = [self._local.format.text_stream() for _ in tasks]
        started: set[int] = set()

        def on_tokens(row: int, ids: list[int]) -> None:
            if row not in started:
                started.add(row)
                recorder.start(self.name, tasks[row])
            recorder.feed(self.name, tasks[row], writers[row](ids))

        def on_finished(row: int, decoded: "Decoded") -> None:
            text = self._local.format.decode(decoded.ids)
            raw = RawAnswer(text, decoded.finish_reason, len(rows[row]), len(decoded.ids))
            recorder.finish(self.name, tasks[row], raw)

        with out_of_memory_names(self.name), self.switched():
            decode(
                self._local,
                rows,
                prefix=self.prefix(),
                temperature=options.temperature,
                max_new_tokens=limits_within(self._local, rows, most) if shorter else most,
                seeds=[task.seed for task in tasks],
                batch_rows=options.batch_rows,
                on_tokens=on_tokens,
                on_finished=on_finished,
                should_stop=recorder.interrupted,
            )

    def speed(
        self, questions: Sequence[Question], options: EvaluateOptions, on_rows: Callable[[int], None]
    ) -> tuple[float | None, float | None]:
        """Median time to the first token in ms, and median tokens per second after it, if answers are longer than that.

        Measured with a few single requests, one after another, each fully prefilled as on a server without a prompt
        cache, so that the prompt's cost shows. The adapter is not merged, which costs the distilled arm some speed. A
        few tokens per answer are enough for a rate. `on_rows` receives the number of answers so far.
        """
        from engine.model.decode import decode

        step = max(1, len(questions) // SPEED_REQUESTS)
        first_ms: list[float] = []
        rates: list[float] = []
        with out_of_memory_names(self.name), self.switched():
            for question in questions[::step][:SPEED_REQUESTS]:
                (decoded,) = decode(
                    self._local,
                    [self.context_ids(question)],
                    temperature=options.temperature,
                    max_new_tokens=min(SPEED_TOKENS, options.max_answer_tokens),
                    seeds=[options.seed],
                )
                first_ms.append(1000.0 * decoded.first_token_s)
                later, later_s = len(decoded.ids) - 1, decoded.seconds - decoded.first_token_s
                if later > 0 and later_s > 0:
                    rates.append(later / later_s)
                on_rows(len(first_ms))
        return median(first_ms), median(rates) if rates else None
