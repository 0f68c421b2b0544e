"""Translate Multi30k as papers report it: train, choose on validation data, read the test set once, keep the text.

English to German or French; sentences in lower case, normalised and tokenised as published (`tok/`); test_2016_flickr,
beam 5, sacrebleu with `tokenize=none`. The weights are those of the epoch with the best BLEU on 500 validation
sentences, and the length penalty is the best of a few there. (`llmcourse train` itself scores with its usual 4 beams
and a penalty of 1; those hypotheses end in -beam4.) The hypotheses go into benchmarks/hypotheses, so that
anybody can compute their BLEU again without training:

    LLMCOURSE_DATA=DIR python benchmarks/multi30k.py --score benchmarks/hypotheses/multi30k-de-half-hour.txt
    LLMCOURSE_DATA=DIR python benchmarks/multi30k.py --recipe half-hour --out runs/half-hour     # trains, or goes on
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmcourse.data import load_pairs
from llmcourse.files import write_atomically
from llmcourse.runtime import available_cores
from llmcourse.tasks.translation.recipes import RECIPES, TranslationConfig

HYPOTHESES = Path(__file__).parent / "hypotheses"
BEAM, PENALTIES = 5, (0.4, 0.7, 1.0, 1.3, 1.6)
HALF_HOUR = RECIPES["multi30k"]
LONG = replace(  # the same 2.6 million parameters, as many as Transformer-Tiny has
    HALF_HOUR[0], dropout=0.25, bpe_dropout=0.1, batch_tokens=2_048, peak_rate=2.5e-3, average_steps=600
)
CONTESTS = {"half-hour": HALF_HOUR, "long": (LONG, 30)}  # and how many epochs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", choices=CONTESTS, default="half-hour", help="what to train")
    parser.add_argument("--target", choices=("de", "fr"), default="de", help="the language to translate into")
    parser.add_argument("--out", type=Path, help="the folder of the run; the same command goes on with a stopped one")
    parser.add_argument("--score", type=Path, metavar="FILE", help="compute the BLEU of hypotheses, train nothing")
    options = parser.parse_args()
    if options.score:
        target = options.score.stem.split("-")[1]
        show(options.score, load_pairs("multi30k", target, tokenized=True).test.targets)
    else:
        train(options.recipe, options.target, options.out or Path("runs") / f"multi30k-{options.target}")


def train(name: str, target: str, folder: Path) -> None:
    """Train, or go on, choose the length penalty, translate the test set, and keep the hypotheses."""
    from llmcourse.tasks.translation.task import Translation
    from llmcourse.training import engine

    settings, epochs = CONTESTS[name]
    config = TranslationConfig(data="multi30k", target=target, tokenized=True, settings=settings, epochs=epochs)
    scores = engine.train(Translation(config), folder, on_progress=report)
    print(
        f"{available_cores()} cores, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}; {scores['weights']}, ",
        end="",
    )
    print(
        f"{scores['parameters']:,} parameters, {scores['epochs']} epochs, {scores['cpu_seconds']:,} CPU s of training"
    )
    print(f"validation: {scores['validation']}")
    penalty, hypotheses = translate(folder, target)
    path = HYPOTHESES / f"multi30k-{target}-{name}.txt"
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, "".join(f"{line}\n" for line in hypotheses))
    print(f"beam {BEAM}, length penalty {penalty}")
    show(path, load_pairs("multi30k", target, tokenized=True).test.targets)


def translate(folder: Path, target: str) -> tuple[float, list[str]]:
    """Choose the length penalty on the validation sentences and translate the test sentences with it."""
    from llmcourse.decoding import Translator
    from llmcourse.serving.engine import load_engine
    from llmcourse.tasks.translation.scores import score_texts

    model, tokenizer, card = load_engine(folder)
    translator = Translator(model, tokenizer, card["limits"]["max_length"])
    pairs = load_pairs("multi30k", target, tokenized=True)
    found = {}
    for penalty in PENALTIES:
        texts = translator.translate(pairs.validation.sources, beam_size=BEAM, alpha=penalty)
        found[penalty] = score_texts(texts, pairs.validation.targets, "none")["bleu"]
        print(f"validation, length penalty {penalty}: BLEU {found[penalty]:.2f}", flush=True)
    best = max(found, key=lambda penalty: found[penalty])
    return best, translator.translate(pairs.test.sources, beam_size=BEAM, alpha=best)


def show(path: Path, references: Any) -> None:
    """Print the scores of a file of hypotheses."""
    from llmcourse.tasks.translation.scores import score_texts

    scores = score_texts(path.read_text(encoding="utf-8").splitlines(), references, "none")
    print(f"{path.name}: BLEU {scores['bleu']:.2f}, chrF {scores['chrf']:.2f}, {scores['bleu_signature']}")


def report(moment: Any) -> None:
    """Print a line after each epoch."""
    if moment.epoch_ended:
        values = ", ".join(f"{name} {value:.3f}" for name, value in {**moment.means, **moment.validation}.items())
        print(f"{time.strftime('%H:%M:%S')} epoch {moment.epoch}: {values}", flush=True)


if __name__ == "__main__":
    main()
