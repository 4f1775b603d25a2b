"""What a verification must come to: the events in their order, each once.

An independent reading of docs/states.md, whose table this module parses. It
shares nothing with the service: where the service keeps watermarks so that
order does not matter, this sorts the events and walks the table.
"""

import dataclasses
import os
import re

STATES_MD = os.path.join(
    os.path.dirname(__file__), "..", "..", "docs", "states.md"
)
# "by time and then by rank": of two at one time the later one here counts.
RANK = ["reset", "retry_requested", "approved", "rejected"]


def read_table(path=STATES_MD):
    """{event: {state: next state}} from the document's table."""
    rows = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.strip().strip("|")
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) == 6:
                rows.append(cells)
    states = rows[0][1:]
    assert rows[0][0] == "event" and len(set(states)) == 5, rows[0]
    table = {}
    for name, *cells in rows[1:]:
        if re.fullmatch(r"[a-z_]+", name):
            table[name] = {
                state: state if cell == "–" else cell
                for state, cell in zip(states, cells)
            }
    assert "approved" in table and "reset" in table, sorted(table)
    return table


@dataclasses.dataclass(frozen=True)
class Step:
    """One event, in the words of docs/states.md."""

    kind: str
    time: int
    reason: str = ""

    def order(self):
        # Progress has to be newer than a decision to follow it.
        rank = RANK.index(self.kind) + 1 if self.kind in RANK else 0
        return self.time, rank, self.kind == "awaiting_user"


@dataclasses.dataclass(frozen=True)
class End:
    """Where a verification ends, for the caller."""

    state: str
    reason: str  # Shown with retry and rejected.
    # The answer's time is that of the decision that brought it; of several
    # alike in a row the first to arrive, which no order can tell: any of
    # these.
    times: tuple


def walk(table, steps):
    state = "pending"
    reason, times, last = "", (), None
    for step in sorted(set(steps), key=Step.order):
        state = table[step.kind][state]
        if step.kind not in RANK:
            continue
        times = times + (step.time,) if step.kind == last else (step.time,)
        last = step.kind
        reason = step.reason
    return End(
        state,
        reason if state in ("retry", "rejected") else "",
        times if state in ("approved", "rejected") else (),
    )
