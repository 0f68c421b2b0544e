"""Translate greedily with PyTorch's nn.Transformer, the whole beginning anew for each token; see decoding_speed.py.

python _decoding_torch.py FILE     FILE: an .npz of sources, steps and sizes; prints the CPU seconds of each round
"""

import sys
import time

import numpy as np
import torch


class Translator(torch.nn.Module):
    """An nn.Transformer between two tables and a linear layer."""

    def __init__(self, pieces: int, width: int, heads: int, layers: int, hidden: int):
        super().__init__()
        self.source, self.target = torch.nn.Embedding(pieces, width), torch.nn.Embedding(pieces, width)
        self.positions = torch.nn.Embedding(512, width)
        self.body = torch.nn.Transformer(
            width, heads, layers, layers, hidden, dropout=0.0, batch_first=True, norm_first=True
        )
        self.to_logits = torch.nn.Linear(width, pieces)

    def embed(self, table: torch.nn.Embedding, ids: torch.Tensor) -> torch.Tensor:
        return table(ids) + self.positions(torch.arange(ids.shape[1]))

    @torch.no_grad()
    def translate(self, source: torch.Tensor, steps: int) -> torch.Tensor:
        padding = source == 0
        memory = self.body.encoder(self.embed(self.source, source), src_key_padding_mask=padding)
        written = torch.full((len(source), 1), 2)
        for _ in range(steps):
            mask = torch.nn.Transformer.generate_square_subsequent_mask(written.shape[1])
            x = self.embed(self.target, written)
            states = self.body.decoder(x, memory, tgt_mask=mask, memory_key_padding_mask=padding, tgt_is_causal=True)
            written = torch.cat([written, self.to_logits(states[:, -1]).argmax(-1)[:, None]], dim=1)
        return written


def main() -> None:
    work = np.load(sys.argv[1])
    model = Translator(*map(int, work["sizes"])).eval()
    batches = [torch.from_numpy(work[f"batch{place}"]).long() for place in range(len(work["steps"]))]
    model.translate(batches[0], 2)
    for _ in range(int(work["rounds"])):
        start = time.process_time()
        for batch, steps in zip(batches, work["steps"], strict=True):
            model.translate(batch, int(steps))
        print(time.process_time() - start, flush=True)


if __name__ == "__main__":
    main()
