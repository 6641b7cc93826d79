"""A check of parameters before they are trained: what is wrong with them, leaf by leaf.

May import: the standard library, and of `jinit.model` planning and diagnosis, and
`jinit.shown`; `jinit.display` as a result is shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax.numpy as jnp

from jinit.checks import check_choice
from jinit.model.diagnosis.adapters import factor_of, faulty_pairs
from jinit.model.diagnosis.contents import absent, blank, coarse, nonfinite
from jinit.model.diagnosis.finding import ADVICE, Finding, count_noun, listing
from jinit.model.diagnosis.likeness import alike
from jinit.model.diagnosis.rules import off_rule
from jinit.model.diagnosis.subjects import Subject, measured, subjects_of
from jinit.model.planning import Plan
from jinit.shown import Result

__all__ = ["Check", "Finding", "InitializationError", "check"]

FALSE_ALARM = 1e-6


class InitializationError(ValueError):
    """Parameters that should not be trained as they are."""


@dataclass(frozen=True)
class Check(Result):
    """What `jinit.check` found. Prints as a table.

    Attributes:
        findings: what looks wrong, errors first, kind by kind.
        leaves: how many leaves were looked at.
        weights: how many values they hold.
        skipped: paths of the leaves that were not, being integers or booleans.
    """

    findings: tuple[Finding, ...]
    leaves: int
    weights: int
    skipped: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that no one means."""
        return tuple(f for f in self.findings if f.severity == "error")

    def of_kind(self, *kinds: str) -> tuple[Finding, ...]:
        """The findings of some kinds."""
        return tuple(f for f in self.findings if f.kind in kinds)

    def raise_if_any(self, *, severity: str = "warning") -> None:
        """Raise if there are findings.

        Args:
            severity: "warning" for all findings, "error" for errors alone.

        Raises:
            jinit.InitializationError: there are; the message has a line for each, and advice.
        """
        check_choice("severity", severity, ("error", "warning"))
        findings = self.findings if severity == "warning" else self.errors
        if findings:
            raise InitializationError("\n".join([self.headline, *_lines(findings)]))

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        errors = len(self.errors)
        counts = [(errors, "error"), (len(self.findings) - errors, "warning")]
        found = " and ".join(count_noun(n, noun) for n, noun in counts if n)
        looked_at = f"{count_noun(self.leaves, 'leaf')}, {count_noun(self.weights, 'weight')}"
        return f"{found or 'nothing wrong found'} in {looked_at}"

    @property
    def remark(self) -> str:
        """What was not looked at, and why; empty if everything was."""
        if not self.skipped:
            return ""
        return f"not looked at, being integers or booleans: {listing(self.skipped)}"

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return {**asdict(self), "ok": self.ok}

    def __str__(self) -> str:
        return "\n".join(filter(None, [self.headline, *_lines(self.findings), self.remark]))

    def __repr__(self) -> str:
        return f"<Check: {self.headline}>"

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.findings import findings_table

        return [findings_table(self)]

    def _repr_html_(self) -> str:
        from jinit.display.findings import findings_html

        return findings_html(self)


def check(
    params: Any,
    plan: Plan | None = None,
    *,
    members: bool = False,
    stacked: Mapping[Any, Any] | None = None,
    ignore: Any = (),
    false_alarm: float = FALSE_ALARM,
) -> Check:
    """Look for what is wrong with a model's parameters before it is trained.

    Found are: leaves never drawn, NaN and infinities, weights that are zero or constant, equal
    leaves, leaves or stacked slices drawn from one key, draws made in low precision, low-rank
    adapters that cannot learn, and with a plan whatever does not follow its rule: mean, standard
    deviation, constants. What a plan asks for is no finding: zero heads, identities, tied leaves.
    Without one, biases, scales and other vectors may be constant, and leaves that look computed
    (identities, position tables) may be equal.

    With a plan and the default `false_alarm`, a scale 15% off is found in a leaf of a thousand
    weights, 2% off in one of 65,000. Leaves of fewer than 8 values are not compared with others.
    Every value is read twice, where it lies; of sharded leaves only a few values are moved.

    Args:
        params: what `jinit.initialize` returns, or any tree of arrays, Linen variables, NNX or
            Equinox module.
        plan: the plan they were drawn by (`jinit.plan`).
        members: whether every leaf has a leading axis of ensemble members (`jinit.ensemble`).
        stacked: by selector, how many leading axes (or which axes) hold layers stacked by hand.
        ignore: selector, or several, of leaves to leave out.
        false_alarm: probability that independent draws, each by its rule, give any finding. The
            tests of all leaves share it.

    Returns:
        The findings; `check(...).raise_if_any()` makes errors of them.

    Raises:
        TypeError: a leaf is traced, or is no array.
        ValueError: `params` has no leaf, `plan` is of another model, or a selector selects nothing.

    >>> import jax, jinit
    >>> key = jax.random.key(0)
    >>> a, b = jinit.he_normal(key, (64, 128)), jinit.glorot_uniform(key, (128, 64))
    >>> print(jinit.check({"a": {"kernel": a}, "b": {"kernel": b}}))
    1 error in 2 leaves, 16,384 weights
      correlated  a/kernel  correlates with b/kernel (r = 0.99)
        draw each from a key of its own (jax.random.split, or fold_in of the path)
    """
    if not 0 < false_alarm < 1:
        raise ValueError(f"`false_alarm` (={false_alarm!r}) must lie between 0 and 1")
    subjects = subjects_of(params, plan, members, stacked, ignore)
    looked_at = [s for s in subjects if jnp.issubdtype(s.dtype, jnp.inexact)]
    skipped = [s for s in subjects if not jnp.issubdtype(s.dtype, jnp.inexact)]
    return Check(
        _ordered(_findings(looked_at, false_alarm)),
        len(looked_at),
        sum(0 if s.value is None else s.value.size for s in looked_at),
        tuple(s.path for s in skipped),
    )


def _findings(subjects: Sequence[Subject], false_alarm: float) -> Iterator[Finding]:
    for subject in subjects:
        yield from absent(subject)
    whole = measured([s for s in subjects if s.value is not None and s.value.size])
    for subject in whole:
        yield from nonfinite(subject)
    sound = [subject for subject in whole if subject.reading.finite]
    for subject in sound:
        if factor_of(subject.path) is None:  # of adapters one factor is zero
            yield from blank(subject)
        yield from coarse(subject)
    yield from faulty_pairs(sound)
    yield from off_rule(sound, false_alarm / 2)
    yield from alike(sound, false_alarm / 2)


def _ordered(findings: Iterator[Finding]) -> tuple[Finding, ...]:
    """Errors first, then kind by kind, otherwise in the model's order."""
    kinds = list(ADVICE)
    return tuple(sorted(findings, key=lambda f: (f.severity != "error", kinds.index(f.kind))))


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    """A line for each finding, advice after the last of each kind."""
    last = {finding.kind: place for place, finding in enumerate(findings)}
    width = max(map(len, last), default=0)
    paths = max((len(finding.path) for finding in findings), default=0)
    for place, finding in enumerate(findings):
        yield f"  {finding.kind:<{width}}  {finding.path:<{paths}}  {finding.detail}"
        if place == last[finding.kind]:
            yield f"    {finding.advice}"
