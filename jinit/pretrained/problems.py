"""What is wrong between a checkpoint and a model, all of it in one message.

May import: the standard library, and of `jinit.pretrained` matching, report, resolving, sources.
"""

from collections.abc import Sequence

from jinit.pretrained.matching import nearest
from jinit.pretrained.report import LoadError
from jinit.pretrained.resolving import Resolution
from jinit.pretrained.sources import Source

__all__ = ["raise_problems"]

_SHOWN = 12  # lines of one kind before the rest is counted
_ADVICE = {
    "missing": 'on_missing="draw" draws such leaves by `rules`, "keep" leaves them as they are',
    "mismatched": "on_mismatch= takes adapters for them; see jinit.pretrained.adapters",
    "unexpected": 'on_unexpected="ignore" leaves such tensors aside',
}


def raise_problems(resolution: Resolution, others: Sequence[str], source: Source) -> None:
    """Raise a LoadError if anything is wrong: the user's rules first, then leaves, then tensors."""
    lines = {
        "match": list(others),
        "missing": _missing(resolution, source),
        "mismatched": [decision.problem or "" for decision in resolution.of("mismatched")],
        "unexpected": [
            f"{name} {source[name]} is taken by no leaf" for name in resolution.report.unexpected
        ],
    }
    wrong = {kind: found for kind, found in lines.items() if found}
    if not wrong:
        return
    counts = ", ".join(f"{len(found)} {kind}" for kind, found in wrong.items() if kind != "match")
    text = [f"{source.description} does not fit the model{': ' if counts else ''}{counts}"]
    for kind, found in wrong.items():
        text += [f"  {kind}: {line}" for line in found[:_SHOWN]]
        text += [f"  {kind}: and {len(found) - _SHOWN} more"] * (len(found) > _SHOWN)
    text += [_ADVICE[kind] for kind in wrong if kind in _ADVICE]
    if wrong.keys() & {"missing", "unexpected"}:
        text.append("jinit.pretrained.suggest(target, source) tells which may belong together")
    raise LoadError("\n".join(text), resolution.report)


def _missing(resolution: Resolution, source: Source) -> list[str]:
    """What is missing; of those that are shown, the names that come near."""
    found: list[str] = []
    for decision in resolution.of("missing"):
        near = nearest(decision.path, source) if len(found) < _SHOWN else ""
        found.append(f"{decision.problem}{near}")
    return found
