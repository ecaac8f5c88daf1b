"""A CLIP byte-pair tokenizer trained on our captions, in the layout of CLIPTokenizer.

Example: python tokenizer.py --out ../../public/models/starter/tokenizer
Ids follow from merges.txt alone: 256 byte symbols, the same with </w>, the merges, BOS, EOS.
"""

import argparse
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
from presets import TEXT_LENGTH
from world.captions import vocabulary_lines

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
PIECES = re.compile(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|[^\s\w]+|_+")


def byte_symbols() -> list[str]:
    """The 256 printable stand-ins of the byte values, in CLIP's order."""
    kept = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [b for b in range(256) if b not in kept]
    return [chr(b) for b in kept] + [chr(256 + i) for i in range(len(rest))]


def train_merges(lines: list[str]) -> list[tuple[str, str]]:
    """Merge the most frequent pair until every word of the corpus is one symbol; ties go to the smaller pair."""
    counts = Counter(word for line in lines for word in PIECES.findall(line.lower()))
    words = {(*w[:-1], w[-1] + "</w>"): n for w, n in counts.items()}
    merges = []
    while True:
        pairs = Counter()
        for symbols, n in words.items():
            for pair in zip(symbols, symbols[1:], strict=False):
                pairs[pair] += n
        if not pairs:
            return merges
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        words = {join(symbols, best): n for symbols, n in words.items()}


def join(symbols: tuple, pair: tuple) -> tuple:
    """Replace every occurrence of a pair by its concatenation."""
    out, i = [], 0
    while i < len(symbols):
        if symbols[i:i + 2] == pair:
            out.append(pair[0] + pair[1])
            i += 2
        else:
            out.append(symbols[i])
            i += 1
    return tuple(out)


class Tokenizer:
    """Plain BPE from a list of merges; agrees with transformers' CLIPTokenizer on the same files."""

    def __init__(self, merges):
        self.ranks = {tuple(m): i for i, m in enumerate(merges)}
        base = byte_symbols()
        names = [*base, *(s + "</w>" for s in base), *("".join(m) for m in merges), BOS, EOS]
        self.vocab = {name: i for i, name in enumerate(names)}
        kept = {ord(s) for s in base if ord(s) < 256}
        rest = (b for b in range(256) if b not in kept)
        self.bytes = {**{b: chr(b) for b in kept}, **{b: chr(256 + i) for i, b in enumerate(rest)}}
        self.bos, self.eos = self.vocab[BOS], self.vocab[EOS]
        self.known = {}

    @classmethod
    def load(cls, folder: Path) -> "Tokenizer":
        lines = (Path(folder) / "merges.txt").read_text().splitlines()[1:]
        return cls([tuple(line.split(" ")) for line in lines if line])

    def word_ids(self, word: str) -> list[int]:
        """Ids of one lower-case piece."""
        if word not in self.known:
            chars = [self.bytes[b] for b in word.encode()]
            symbols = (*chars[:-1], chars[-1] + "</w>")
            while len(symbols) > 1:
                pair = min(zip(symbols, symbols[1:], strict=False), key=lambda p: self.ranks.get(p, 1 << 30))
                if pair not in self.ranks:
                    break
                symbols = join(symbols, pair)
            self.known[word] = [self.vocab[s] for s in symbols]
        return self.known[word]

    def __call__(self, text: str, length: int = TEXT_LENGTH) -> np.ndarray:
        """Token ids, int64 [length]: BOS, at most length - 2 tokens, EOS, padded with EOS."""
        ids = [i for piece in PIECES.findall(text.lower()) for i in self.word_ids(piece)][: length - 2]
        return np.array([self.bos, *ids, *[self.eos] * (length - 1 - len(ids))], np.int64)


def write(folder: Path) -> Tokenizer:
    """Train and write vocab.json, merges.txt and the two configuration files."""
    folder.mkdir(parents=True, exist_ok=True)
    merges = train_merges(vocabulary_lines())
    tok = Tokenizer(merges)
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    (folder / "vocab.json").write_text(json.dumps(tok.vocab, ensure_ascii=False, indent=0) + "\n")
    special = {"bos_token": BOS, "eos_token": EOS, "pad_token": EOS, "unk_token": EOS}
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")
    config = {**special, "add_prefix_space": False, "do_lower_case": True, "errors": "replace",
              "model_max_length": TEXT_LENGTH, "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    return tok


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    tokens = write(parser.parse_args().out)
    print(len(tokens.vocab), "tokens;", tokens("a photo of a cat on a wooden table").tolist())
