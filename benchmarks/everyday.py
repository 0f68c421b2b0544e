"""Translate 200 everyday sentences with the packaged model, and count how a reader judged the translations.

benchmarks/everyday.tsv has a verdict, a sentence and a translation in each line. "right": what a Chinese speaker could
say; "understandable": the meaning is whole, the wording is not; "wrong": anything else, also if one lost word matters.
The sentences were written before any translation was seen; one reader, who knows the English, judged. A translation
that has changed since then is "not judged": read it, and write its verdict with --judge.

    python benchmarks/everyday.py             what the verdicts are
    python benchmarks/everyday.py --judge     asks for the verdict of each new translation, and keeps it
"""

import argparse
from collections import Counter
from pathlib import Path

from llmcourse.data import load_pairs
from llmcourse.data.sentences import sentence_key
from llmcourse.decoding import Translator
from llmcourse.files import write_atomically
from llmcourse.serving.engine import load_engine

JUDGED = Path(__file__).with_suffix(".tsv")
VERDICTS = {"r": "right", "u": "understandable", "w": "wrong"}
NEW = "not judged"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="the folder of a model (default: the packaged one)")
    parser.add_argument("--judge", action="store_true", help="ask for the verdicts that are missing, and keep them")
    options = parser.parse_args()
    model, tokenizer, card = load_engine(options.model)
    rows = [line.split("\t") for line in JUDGED.read_text(encoding="utf-8").splitlines()]
    sources = [source for _, source, _ in rows]
    found = Translator(model, tokenizer, card["limits"]["max_length"]).translate(sources)
    verdicts = [
        verdict if translation == former else NEW for (verdict, _, former), translation in zip(rows, found, strict=True)
    ]
    if options.judge:
        for place, (source, translation) in enumerate(zip(sources, found, strict=True)):
            if verdicts[place] == NEW:
                verdicts[place] = ask(source, translation)
        lines = ("\t".join(row) for row in zip(verdicts, sources, found, strict=True))
        write_atomically(JUDGED, "".join(f"{line}\n" for line in lines))
    counts = Counter(verdicts)
    known = {sentence_key(source) for source in load_pairs("tatoeba-cmn").train.sources}
    seen = [verdict for source, verdict in zip(sources, verdicts, strict=True) if sentence_key(source) in known]
    print("| verdict | sentences | of them also in the training data |")
    print("| --- | ---: | ---: |")
    for verdict in (*VERDICTS.values(), NEW):
        print(f"| {verdict} | {counts[verdict]} of {len(sources)} | {seen.count(verdict)} of {len(seen)} |")
    good = counts["right"] + counts["understandable"]
    print(f"\nright or understandable: {good / len(sources):.1%}")


def ask(source: str, translation: str) -> str:
    """Ask a reader for a verdict until one is given."""
    while True:
        answer = input(f"{source}\n    {translation}\n    [r]ight, [u]nderstandable or [w]rong? ")
        if answer in VERDICTS:
            return VERDICTS[answer]


if __name__ == "__main__":
    main()
