"""What a finished run leaves behind for people: curves, and a card that tells a model's origin and its limits."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from llmcourse import __version__
from llmcourse.plots import Picture, learning_curves
from llmcourse.runtime import describe_device

PACKAGES = ("keras", "tensorflow", "numpy")


@dataclass(frozen=True)
class Table:
    """Hold a table of text: its title, the headings of its columns, and its rows."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Report:
    """Say how good a model is.

    Args:
        summary: a sentence or two.
        tables: with more detail.
        pictures: by the name of their file, without suffix.
    """

    summary: str
    tables: Sequence[Table] = ()
    pictures: Mapping[str, Picture] = field(default_factory=dict)


@dataclass(frozen=True)
class About:
    """Say what a reader should know before using a model, in Markdown.

    Args:
        title: one line.
        summary: what the model is.
        data: what it was trained, validated and tested with, and whose it is.
        usage: how to use it.
        limits: what it is not for.
    """

    title: str
    summary: str
    data: str
    usage: str = ""
    limits: str = ""


def draw_curves(history: Sequence[Mapping[str, float]], prefix: str = "val_") -> dict[str, Picture]:
    """Draw each quantity that was measured after the epochs, with its values in training where there are any.

    Args:
        history: one row for each epoch.
        prefix: of the measured quantities.

    Returns:
        Pictures by the name of the quantity without the prefix.
    """
    pictures = {}
    for column in history[0]:
        name = column.removeprefix(prefix)
        if name == column:
            continue
        labels = {"training": name, "validation": column}
        curves = {label: [row[key] for row in history] for label, key in labels.items() if key in history[0]}
        words = name.replace("_", " ")
        pictures[name] = learning_curves(curves, ylabel=words, title=f"{words[:1].upper()}{words[1:]} in training")
    return pictures


def model_card(
    about: About,
    report: Report,
    scores: Mapping[str, Any],
    config: Mapping[str, Any],
    *,
    command: str,
    packages: Sequence[str],
    pictures: Mapping[str, Picture],
) -> str:
    """Write the card of a model as Markdown.

    Args:
        about: what the task says of the model.
        report: how good it is.
        scores: with what the engine found: seconds, steps, validation.
        config: the configuration of the run.
        command: what repeats the run.
        packages: whose versions are named, besides Keras, TensorFlow and NumPy.
        pictures: by the name of their file, without suffix.

    Returns:
        The text.
    """
    versions = ", ".join(f"{name} {version(name)}" for name in (*PACKAGES, *packages))
    chosen = ", ".join(f"{name} {value:.4g}" for name, value in scores["validation"].items())
    sections = [
        f"# {about.title}",
        about.summary,
        report.summary,
        *map(_markdown, report.tables),
        "\n".join(f"![{picture.alt}]({name}.png)" for name, picture in pictures.items()),
        "## How it was made",
        f"""- Command: `{command or "llmcourse.training in Python"}`
- Data: {about.data}
- Weights: {scores["weights"]} of {scores["epochs"]} epochs, chosen by {chosen}
- Parameters: {scores["parameters"]:,}
- Time: {scores["seconds"]:,} s, {scores["cpu_seconds"]:,} s of processor time, {scores["steps"]:,} steps, compiling not
  counted
- Settings: {_settings(config)}
- Versions: llmcourse {__version__}, Python {platform.python_version()}, {versions}; {describe_device()}
- Date: {datetime.now(UTC):%Y-%m-%d}""",
        *(f"## {heading}\n\n{text}" for heading, text in _further(about).items()),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _further(about: About) -> dict[str, str]:
    sections = {"How to use it": about.usage, "What it is not for": about.limits}
    return {heading: text for heading, text in sections.items() if text}


def _settings(config: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} ({_settings(value)})" if isinstance(value, Mapping) else f"{name} {value}"
        for name, value in config.items()
        if value is not None
    )


def _markdown(table: Table) -> str:
    lines = [table.headings, ["---"] * len(table.headings), *table.rows]
    return f"{table.title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)
