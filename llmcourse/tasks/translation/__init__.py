"""Translation: a Transformer that turns a sentence of one language into one of another."""
