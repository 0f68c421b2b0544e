"""A reader's own labelled sentences: a table of two columns, with commas or tabs, as spreadsheets write it."""

import csv
from collections import Counter
from pathlib import Path

from llmcourse.data.sentences import read_lines, shorten
from llmcourse.data.store import DataError

REMEDY = "give a CSV or TSV file in UTF-8 with a sentence in the first column and its label in the second"
REQUIRED = "in each row a sentence and its label"


def read_labelled_table(path: Path) -> list[tuple[str, str]]:
    """Read a CSV or TSV file: a sentence in the first column, its label in the second.

    A file named .tsv or .tab has tabs and one named .csv has commas; any other has tabs if its first line has one. A
    sentence with a comma, a line end or a quotation mark stands in quotation marks, as spreadsheets write it. The
    first row is a heading, and left out, if its label stands in no other row.

    Args:
        path: the file, plain or gzipped, in UTF-8 with or without a byte order mark, with line ends of any system.

    Returns:
        The different (sentence, label) rows in the order of the file, without spaces around both.

    Raises:
        DataError: the file cannot be read, or a row is empty, lacks its sentence or its label, or has more columns.
            The number of the line is named.
    """
    name = str(path)
    lines = read_lines(path, name, REMEDY)
    reader = csv.reader([f"{line}\n" for line in lines], delimiter=_find_delimiter(path, lines[0]), strict=True)
    rows = []
    try:
        for cells in reader:
            rows.append(_check_row([cell.strip() for cell in cells], reader.line_num, name))
    except csv.Error as error:
        received = f"line {reader.line_num:,}, where Python's csv says: {error}"
        remedy = "write a quotation mark inside a quoted sentence twice, and close each quoted sentence"
        raise DataError(name, REQUIRED, received, remedy) from None
    if Counter(label for _, label in rows)[rows[0][1]] == 1:
        rows = rows[1:]
    return list(dict.fromkeys(rows))


def _find_delimiter(path: Path, first_line: str) -> str:
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if suffixes & {".tsv", ".tab"}:
        return "\t"
    return "\t" if "\t" in first_line and ".csv" not in suffixes else ","


def _check_row(cells: list[str], number: int, name: str) -> tuple[str, str]:
    if not any(cells):
        raise DataError(name, REQUIRED, f"line {number:,}, which is empty", "remove empty lines")
    if len(cells) == 1:
        received = f"line {number:,} with one column: {shorten(cells[0])}"
        raise DataError(name, REQUIRED, received, f"write a comma or a tab before the label, or {REMEDY}")
    if len(cells) > 2:
        received = f"line {number:,} with {len(cells)} columns: {shorten(cells[0])}"
        raise DataError(name, REQUIRED, received, "put sentences with commas in quotation marks and keep two columns")
    if not all(cells):
        received = f"line {number:,} without a {'label' if cells[0] else 'sentence'}"
        raise DataError(name, REQUIRED, received, "write it or remove the line")
    return cells[0], cells[1]
