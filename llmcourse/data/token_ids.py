"""The ids that stand for no word, and so are the same in every vocabulary.

Masks, losses and searches look for them in arrays of ids; they need neither the tokenizer nor the library behind it.
"""

PAD = 0  # fills a batch up to its longest sentence
UNK = 1  # stands for a word that the vocabulary lacks
START = 2  # stands before the first word
END = 3  # stands after the last word
FIRST_WORD = 4  # the lowest id that a vocabulary gives to a word or a piece of one
