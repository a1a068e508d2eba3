"""Generation from the local base model: the prompt is read once, then questions are decoded after it in batches.

The model libraries are imported through engine.model, and only when a generation starts.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.errors import ContextError, TeacherError
from engine.jobs.context import JobContext
from engine.records.example import Example, ExampleKey, FinishReason, Usage
from engine.records.options import GenerateOptions
from engine.records.prompt import Prompt
from engine.seeds import answer_seed
from engine.teachers.plan import Ask, Plan
from engine.teachers.recorder import Recorder

if TYPE_CHECKING:
    from engine.model.decode import Decoded
    from engine.model.local_model import LocalModel


class LocalGeneration:
    """One generation on a loaded model. `run` ends when the plan is exhausted."""

    def __init__(
        self,
        context: JobContext,
        options: GenerateOptions,
        prompt: Prompt,
        plan: Plan,
        recorder: Recorder,
        local: "LocalModel",
    ) -> None:
        from engine.model.prompt_cache import PromptCache

        self._context = context
        self._options = options
        self._prompt = prompt
        self._prompt_sha256 = prompt.sha256
        self._plan = plan
        self._recorder = recorder
        self._local = local
        self._prefix = PromptCache.build(local, local.format.prompt_prefix_ids(prompt, single_turn=plan.single_turn))

    def run(self) -> None:
        """Decode until nothing is left. Raises `JobStopped`; answers finished by then are stored."""
        try:
            while not self._plan.exhausted:
                self._decode(self._fitting(self._plan.take()))
        finally:
            self._recorder.flush()

    def _fitting(self, asks: list[Ask]) -> list[tuple[Ask, list[int]]]:
        """Return the asks with their token ids; a question that leaves no room for an answer is reported as failed."""
        fitting: list[tuple[Ask, list[int]]] = []
        for ask in asks:
            ids = self._local.format.prompted_ids(self._prompt, ask.question.messages)
            room = [*ids, *([0] * self._options.max_answer_tokens)]
            try:
                self._local.format.check_length(room, f"Question {ask.question.id} with prompt and answer")
            except ContextError as error:
                self._recorder.failed(ask, "context", str(error))
                continue
            fitting.append((ask, ids))
        return fitting

    def _decode(self, rows: list[tuple[Ask, list[int]]]) -> None:
        from engine.model.decode import decode
        from engine.model.memory import within_memory

        if not rows:
            return
        options = self._options
        texts: dict[int, Callable[[list[int]], str]] = {}

        def on_tokens(row: int, ids: list[int]) -> None:
            ask = rows[row][0]
            if row not in texts:
                texts[row] = self._local.format.text_stream()
                self._recorder.started(ask)
            text = texts[row](ids)
            if text:
                self._recorder.delta(ask, text)

        def on_finished(row: int, decoded: "Decoded") -> None:
            texts.pop(row, None)
            ask, ids = rows[row]
            self._recorder.answered(ask, self._example(ask, len(ids), decoded))

        with within_memory("Generate again with fewer parallel answers: stored answers are not requested again."):
            decode(
                self._local,
                [ids for _, ids in rows],
                prefix=self._prefix,
                temperature=options.temperature,
                max_new_tokens=options.max_answer_tokens,
                seeds=[answer_seed(options.seed, ask.question.id, ask.attempt) for ask, _ in rows],
                batch_rows=options.batch_rows,
                on_tokens=on_tokens,
                on_finished=on_finished,
                should_stop=self._rest,
            )

    def _rest(self) -> bool:
        """Between two steps: store what is due, and obey a request to pause or stop (which raises)."""
        self._recorder.flush_if_due()
        if self._context.stop_requested or self._context.pause_requested:
            self._recorder.rest()
        self._context.checkpoint()
        return False

    def _example(self, ask: Ask, prompt_tokens: int, decoded: "Decoded") -> Example:
        reasons: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
        finish_reason = reasons.get(decoded.finish_reason)
        if finish_reason is None:
            raise TeacherError("An answer was interrupted.", f"Question {ask.question.id}.", "Resume the job.")
        answer = self._local.format.decode(decoded.ids)
        return Example(
            key=ExampleKey(self._prompt_sha256, ask.question.id, self._options.teacher.name, ask.attempt),
            answer=answer,
            finish_reason=finish_reason,
            teacher_kind="local",
            token_ids=tuple(decoded.ids),
            usage=Usage(
                prompt_tokens=prompt_tokens,
                completion_tokens=len(decoded.ids),
                cached_tokens=min(self._prefix.length, prompt_tokens),
            ),
            temperature=self._options.temperature,
            seconds=decoded.seconds,
            checks=self._recorder.check(ask, answer),
        )
