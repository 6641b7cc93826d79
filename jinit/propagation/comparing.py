"""`jinit.compare`: one model from several starts, side by side.

May import: the standard library, jax, and of `jinit.model` initializing, targets, and of
`jinit.propagation` propagating, report, and `jinit.shown`; `jinit.display` as a comparison
is shown.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import jax

from jinit.core.inputs import check_key
from jinit.model.initializing import initialize
from jinit.model.targets.arrays import is_array
from jinit.model.targets.inputs import TAKES_INPUTS, with_inputs
from jinit.model.targets.loaded import holds, is_a
from jinit.propagation.propagating import propagate
from jinit.propagation.report import Report
from jinit.shown import Result

__all__ = ["Comparison", "compare"]

_OPTIONS = ("loss", "backward", "jacobian", "every", "batch_axis")


class Comparison(Result, Mapping[str, Report]):
    """Reports of one model by the name of its start. Made by `jinit.compare`; prints as a table."""

    _text_width: ClassVar[int] = 120

    def __init__(self, reports: Mapping[str, Report]) -> None:
        self._reports = dict(reports)

    def __getitem__(self, name: str) -> Report:
        if name not in self._reports:
            raise KeyError(f"no start is called {name!r}; there are {', '.join(self._reports)}")
        return self._reports[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._reports)

    def __len__(self) -> int:
        return len(self._reports)

    def plot(self) -> Any:
        """A matplotlib figure: each start's profile over depth, one over the other."""
        from jinit.display.propagation.figures import comparison_figure

        return comparison_figure(self)

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description, by start."""
        return {name: report.to_config() for name, report in self.items()}

    def __repr__(self) -> str:
        told = ", ".join(f"{name}: {report.verdicts[0].kind}" for name, report in self.items())
        return f"<Comparison: {told}>"

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.propagation.tables import comparison_table

        return [comparison_table(self, width)]

    def _repr_html_(self) -> str:
        from jinit.display.propagation.pages import comparison_html

        return comparison_html(self)


def compare(
    model: Any,
    starts: Mapping[str, Any],
    /,
    *inputs: Any,
    apply: Callable[..., Any] | None = None,
    key: Any = None,
    usage: Mapping[str, Any] | None = None,
    **options: Any,
) -> Comparison:
    """Report how the signal fares in one model from several starts, in one table and one figure.

    Use it to choose an initialization before any training. All starts are drawn from one key, and
    measured by one compiled program.

    Args:
        model: what `jinit.initialize` takes: a Linen module, an NNX or Equinox module, or a tree
            of shapes.
        starts: by name, rules as `jinit.initialize` takes them (`jinit.Rules`, a mapping of
            selectors, or one scheme), or parameters that exist already.
        *inputs: a batch, as for `jinit.propagate`.
        apply: `apply(params, *inputs)`; by default what the module itself does. Needed for trees.
        key: a PRNG key for the parameters.
        usage: how the model uses its parameters (`jinit.trace`), for fans by use.
        **options: options of `jinit.propagate` (`loss`, `backward`, `jacobian`, `every`,
            `batch_axis`), and keyword arguments of the model.

    Returns:
        The reports, by start.

    Raises:
        ValueError: there is no start, or `apply` is missing; or as for `jinit.initialize` and
            `jinit.propagate`, with the start's name.

    >>> import jax, jax.numpy as jnp, jinit
    >>> def net(params, x):
    ...     for w in params:
    ...         x = jnp.tanh(x @ w)
    ...     return x
    >>> shapes = [jax.ShapeDtypeStruct((64, 64), "float32")] * 5
    >>> starts = {"small": jinit.normal(0.05), "orthogonal": jinit.orthogonal()}
    >>> x = jax.random.normal(jax.random.key(1), (32, 64))
    >>> comparison = jinit.compare(shapes, starts, x, apply=net)
    >>> comparison
    <Comparison: small: vanishing signal, orthogonal: fine>
    """
    if not starts:
        raise ValueError("`starts` is empty; give rules or parameters by name")
    key = jax.random.key(0) if key is None else key
    check_key(key)
    function = _function(model, apply)
    kwargs = {name: value for name, value in options.items() if name not in _OPTIONS}
    target = with_inputs(model, *inputs, **kwargs) if is_a(model, *TAKES_INPUTS) else model
    reports = {}
    for name, start in starts.items():
        try:
            params = _params(target, start, key, usage)
            reports[name] = propagate(function, params, *inputs, **options)
        except ValueError as error:
            raise ValueError(f"start {name!r}: {error}") from error
    return Comparison(reports)


def _params(target: Any, start: Any, key: Any, usage: Mapping[str, Any] | None) -> Any:
    """The start itself, where it holds arrays; else what is drawn by it."""
    if any(map(is_array, jax.tree.leaves(start))):
        return start
    return initialize(target, start, key, usage=usage)


def _function(model: Any, apply: Callable[..., Any] | None) -> Callable[..., Any]:
    if apply is not None:
        return apply
    if is_a(model, "flax.linen.Module"):
        return model.apply  # type: ignore[no-any-return]
    if is_a(model, "haiku.Transformed"):
        return lambda params, *inputs, **kwargs: model.apply(params, None, *inputs, **kwargs)
    if holds(model, "flax.nnx.Module", "equinox.Module"):
        return _called
    raise ValueError(
        f"`apply` is needed for a {type(model).__name__}, which cannot be called: pass "
        "`apply=lambda params, x: ...`"
    )


def _called(module: Any, *inputs: Any, **kwargs: Any) -> Any:
    return module(*inputs, **kwargs)
