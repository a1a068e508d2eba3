"""The one tree of errors: what happened, to what, and what to do next.

Standard library only. A user never sees a traceback for any of these; the command line and the panes print the
three sentences. Anything outside this tree is a bug in the program and is logged with its traceback.

    DistillError
    ├── UsageError          the caller's input is wrong (exit status 2)
    │   └── NotFoundError   something that was named does not exist
    ├── StoreError          the project's database cannot be read or written
    │   ├── DamagedError    its file is corrupt
    │   └── SchemaError     it was written by a newer program, or its migration failed
    ├── ModelError          a model cannot be found, loaded or trusted
    │   └── ContextError    prompt + question + answer exceed the context; nothing is cut silently
    ├── TeacherError        an endpoint or a local teacher gave no acceptable answer
    │   ├── EndpointError   the endpoint refused, and retrying does not help
    │   └── BudgetError     the budget is spent
    ├── DatasetError        a dataset cannot be frozen or read
    ├── TrainingError       a run cannot continue
    └── JobError            a job cannot be started, reached or controlled
        └── JobStopped      the job was asked to stop; not a failure
"""

import re
from collections.abc import Mapping


class DistillError(Exception):
    """What happened (`title`), to what and why (`message`), and what to do next (`next`).

    `details`: facts beside the three sentences, for programs, as JSON values.
    """

    exit_status = 1

    def __init__(self, title: str, message: str = "", next: str = "") -> None:
        super().__init__(title, message, next)
        # Titles that end with a name or a path are sentences too: another one may follow on the same line.
        self.title = title if not title or title[-1] in ".!?…" else f"{title}."
        self.message = message
        self.next = next
        self.details: Mapping[str, object] = {}

    @property
    def code(self) -> str:
        """The name of its place in the tree, for programs: `not_found`, `model`, `job`; `failure` for the root."""
        place = next(each for each in type(self).__mro__ if each.__module__ == __name__)
        name = "Failure" if place is DistillError else place.__name__.removesuffix("Error")
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()

    def __str__(self) -> str:
        return " ".join(part for part in (self.title, self.message, self.next) if part)


class UsageError(DistillError):
    """The caller's input is wrong; nothing was changed."""

    exit_status = 2


class NotFoundError(UsageError):
    """Something that was named does not exist."""


class StoreError(DistillError):
    """The project's database cannot be read or written."""


class DamagedError(StoreError):
    """The database file is corrupt, or not a database."""


class SchemaError(StoreError):
    """The database was written by a newer program, or its migration failed."""


class ModelError(DistillError):
    """A model cannot be found, loaded or trusted."""


class ContextError(ModelError):
    """Prompt, question and answer together exceed the model's context; nothing is cut silently."""


class TeacherError(DistillError):
    """A teacher gave no acceptable answer."""


class EndpointError(TeacherError):
    """The endpoint refused, and retrying does not help (key, quota, context, address)."""


class BudgetError(TeacherError):
    """The budget for this generation is spent."""


class DatasetError(DistillError):
    """A dataset cannot be frozen or read."""


class TrainingError(DistillError):
    """A run cannot continue."""


class JobError(DistillError):
    """A job cannot be started, reached or controlled."""


class JobStopped(JobError):
    """The job was asked to stop. It ends as `stopped`, which is not a failure."""
