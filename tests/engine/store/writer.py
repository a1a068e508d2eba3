"""A process that stores examples one by one and reports each: `writer.py FOLDER COUNT`.

Prints `ready`, waits for a line, then prints the attempt's number after each commit. All writers store the same keys,
so that each key is stored by one of them.
"""

import sys
from pathlib import Path

from engine.project import Project
from engine.records.example import Decision, Example, ExampleKey, Usage


def main(folder: Path, count: int) -> None:
    with Project.open(folder) as project:
        first = project.examples.counts().total
        _report("ready")
        sys.stdin.readline()
        for attempt in range(first, first + count):
            example = Example(
                ExampleKey("prompt", 1, "teacher", attempt), f"answer {attempt} " * 50, "stop", "local",
                usage=Usage(prompt_tokens=1, cost_usd=1.0),
            )  # fmt: skip
            with project.transaction():
                project.examples.add([example])
                # A key that another writer stored first uses up an id, so ids have gaps.
                stored = project.examples.window(attempt, 1)[0].example
                project.decisions.decide([Decision(stored.id, "edit", "rules", f"edited {attempt}")])
            _report(attempt)


def _report(line: str | int) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
