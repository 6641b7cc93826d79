"""How alike two names are: by their words and numbers, and by what is called the same.

May import: the standard library.
"""

import difflib
import functools
import re

__all__ = ["likeness"]

_SAME = [
    ("kernel", "weight", "w", "weights", "embedding", "embeddings", "scale", "gamma", "table"),
    ("bias", "b", "beta", "offset"),
    ("mean", "running_mean", "average"),
    ("var", "running_var", "variance"),
    ("attention", "attn", "mha", "self_attention"),
    ("norm", "ln", "bn", "layernorm", "batchnorm", "rmsnorm", "gn"),
    ("dense", "linear", "fc", "lin", "proj", "projection", "mlp"),
    ("embed", "emb", "wte", "tok", "token", "embeddings", "embedder"),
    ("pos", "wpe", "position", "positions", "posemb"),
    ("block", "layer", "h", "blocks", "layers", "stage"),
    ("head", "classifier", "logits", "lm"),
    ("query", "q"),
    ("key", "k"),
    ("value", "v"),
    ("conv", "convolution", "c"),
    ("encoder", "enc"),
    ("decoder", "dec"),
]
_CLASS = {word: group[0] for group in _SAME for word in group}


@functools.lru_cache(maxsize=65536)
def likeness(one: str, other: str) -> float:
    """From 0 to 1, how alike two names are.

    >>> likeness("layers_1/dense/kernel", "layers.1.fc.weight")
    1.0
    >>> likeness("layers_1/dense/kernel", "layers.2.fc.weight") < 0.8
    True
    """
    mine, theirs = _words(one), _words(other)
    words = difflib.SequenceMatcher(None, mine, theirs, autojunk=False).ratio()
    letters = difflib.SequenceMatcher(None, "".join(mine), "".join(theirs), autojunk=False).ratio()
    last = float(mine[-1:] == theirs[-1:])
    numbers = float(_numbers(mine) == _numbers(theirs))
    return round(0.4 * words + 0.2 * letters + 0.2 * last + 0.2 * numbers, 4)


def _words(name: str) -> list[str]:
    """The words of a name, one for all that are called the same, numbers apart."""
    parts = re.findall(r"\d+|[a-z]+", _joined(name.lower()))
    return [_CLASS.get(part, part) for part in parts]


def _joined(name: str) -> str:
    """PyTorch's statistics are called "running_"; the word tells nothing more."""
    return name.replace("running_", "")


def _numbers(words: list[str]) -> list[str]:
    return [word for word in words if word.isdigit()]
