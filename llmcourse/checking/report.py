"""How a result looks: a card in Jupyter, lines of text elsewhere, and the points as a number for nbgrader."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from llmcourse.checking.run import Outcome, readable, without_codes

GREEN, RED, GREY = "#1a7f37", "#c4320a", "#6e7781"
PRINTED_LINES = 20
MARKS = {"passed": ("✓", GREEN), "failed": ("✗", RED), "error": ("✗", RED), "todo": ("○", GREY)}


@dataclass(frozen=True, repr=False)
class Result:
    """What `check("...")` returns.

    `text/html` is the learner's card; `text/plain`, the `repr`, is the points as a plain number.
    """

    exercise: str
    outcomes: tuple[Outcome, ...] = ()
    hints_shown: int = 0
    printed: str = ""
    notice: str = ""

    @property
    def points(self) -> float:
        """Sum the points earned."""
        return sum(outcome.points for outcome in self.outcomes)

    @property
    def max_points(self) -> float:
        """Sum the points that a full answer earns."""
        return sum(outcome.max_points for outcome in self.outcomes)

    @property
    def passed(self) -> bool:
        """Tell whether every criterion is met."""
        return bool(self.outcomes) and all(outcome.passed for outcome in self.outcomes)

    @property
    def untouched(self) -> bool:
        """Tell whether nothing was written yet."""
        return bool(self.outcomes) and all(outcome.status == "todo" for outcome in self.outcomes)

    @property
    def remarks(self) -> tuple[str, ...]:
        """List what is to be said about the notebook around the answer, each once."""
        return tuple(dict.fromkeys(outcome.remark for outcome in self.outcomes if outcome.remark))

    @property
    def printed_lines(self) -> list[str]:
        """Give the beginning of what the learner's code printed, without what a terminal or a page stumbles over."""
        return readable(without_codes(self.printed)).splitlines()[:PRINTED_LINES]

    def __repr__(self) -> str:
        return f"{self.points:g}"

    def __str__(self) -> str:
        return "\n".join(_text(self))

    def _repr_html_(self) -> str:
        return _html(self)


def _hints(result: Result, outcome: Outcome) -> tuple[tuple[str, ...], str]:
    """Choose the hints to show and say what the next check will bring."""
    if outcome.status == "todo":
        return (), ""
    shown = outcome.hints[: result.hints_shown]
    left = len(outcome.hints) - len(shown)
    if left == 0:
        return shown, ""
    return shown, f"Check again for {'a hint' if not shown else 'one more hint'} ({left} left)."


def _advice(outcome: Outcome) -> str:
    """Say what to do about an exercise of which nothing is there yet."""
    return f"Required: {outcome.required}. Received: {outcome.received}. Run the cell, then check again."


def _summary(result: Result) -> str:
    if result.passed:
        return "all right"
    if result.untouched:
        return "not written yet"
    missing = sum(not outcome.passed for outcome in result.outcomes)
    advice = "; mend the first one first, the others may follow from it" if missing > 1 else ""
    words = "criterion" if len(result.outcomes) == 1 else "criteria"
    return f"{missing} of {len(result.outcomes)} {words} not met{advice}"


def _text(result: Result) -> Iterable[str]:
    if not result.outcomes:
        yield result.notice
        return
    yield f"{result.exercise}: {result.points:g} / {result.max_points:g} points, {_summary(result)}"
    if result.untouched:
        yield f"  {_advice(result.outcomes[0])}"
    for outcome in () if result.untouched else result.outcomes:
        yield f"  {MARKS[outcome.status][0]} {outcome.title}  ({outcome.points:g} / {outcome.max_points:g})"
        if not outcome.passed:
            yield f"      required: {outcome.required}"
            yield f"      received: {outcome.received}"
            shown, more = _hints(result, outcome)
            yield from (f"      hint: {hint}" for hint in shown)
            if more:
                yield f"      {more}"
    if result.printed:
        yield "  your code printed: " + " | ".join(result.printed_lines)
    if result.notice:
        yield f"  {result.notice}"


def _html(result: Result) -> str:
    """Build the card. Only inline styles, since Jupyter removes style sheets from notebooks that it does not trust."""
    if not result.outcomes:
        return f'<div role="alert" style="color:{RED}">{escape(result.notice)}</div>'
    colour = GREEN if result.passed else GREY if result.untouched else RED
    parts = [
        f'<div style="border-left:4px solid {colour};padding:4px 12px;margin:4px 0;max-width:60em;line-height:1.45">',
        f'<div><b>{escape(result.exercise)}</b> &nbsp; <span style="color:{colour};font-weight:bold">'
        f"{result.points:g} / {result.max_points:g} points</span> &nbsp; {_summary(result)}</div>",
    ]
    if result.untouched:
        parts.append(f"<div>{_code(_advice(result.outcomes[0]))}</div>")
    else:
        parts += [_html_outcome(result, outcome) for outcome in result.outcomes]
    if result.printed:
        text = escape("\n".join(result.printed_lines))
        parts.append(f'<details><summary>Your code printed</summary><pre style="margin:0">{text}</pre></details>')
    if result.notice:
        parts.append(f"<div>{_code(result.notice)}</div>")
    return "\n".join([*parts, "</div>"])


def _html_outcome(result: Result, outcome: Outcome) -> str:
    mark, colour = MARKS[outcome.status]
    line = (
        f'<div style="margin-top:2px"><span style="color:{colour};font-weight:bold" aria-hidden="true">{mark}</span> '
        f'{escape(outcome.title)} <span style="opacity:.65">({outcome.points:g} / {outcome.max_points:g})</span>'
    )
    if outcome.passed:
        return line + "</div>"
    shown, more = _hints(result, outcome)
    rows = [("required", outcome.required), ("received", outcome.received), *(("hint", hint) for hint in shown)]
    body = "".join(
        f'<div style="display:flex;gap:.6em"><span style="min-width:4.5em;opacity:.65">{name}</span>'
        f'<span style="overflow-wrap:anywhere">{_code(text)}</span></div>'
        for name, text in rows
    )
    if more:
        body += f'<div style="opacity:.65">{more}</div>'
    return f'{line}<div style="margin-left:1.4em">{body}</div></div>'


def _code(text: str) -> str:
    """Escape a sentence and set what stands between backticks as code."""
    pieces = escape(text).split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    return "".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces))
