"""Kernels with orthonormal rows or columns, along the axes that the model contracts.

May import: jax, and of `jinit.model` paths, of `jinit.schemes` orthogonality, of `jinit.tracing`
ledger, reading, and of `jinit.data_dependent` planning.
"""

from collections.abc import Sequence
from typing import Any

import jax

from jinit.data_dependent.planning import Scheme
from jinit.model.paths import leaf_key
from jinit.schemes.orthogonality import orthogonal
from jinit.tracing.ledger import Ledger, Record

__all__ = ["with_orthonormal"]


def with_orthonormal(
    ledger: Ledger, scheme: Scheme, values: Sequence[Any], paths: Sequence[str], key: Any
) -> list[Any]:
    """The values, those of kernels drawn anew: each from a key of its own, by its path.

    Kernels of which the model makes something else first, such as the direction of a
    weight-normalized one, stay as they are.
    """
    found = list(values)
    for leaf in scheme.blocks:
        record = _first(ledger, leaf)
        if record is not None:
            drawn = _drawn(record, values[leaf], leaf_key(key, paths[leaf]))
            found[leaf] = drawn
    return found


def _first(ledger: Ledger, leaf: int) -> Record | None:
    """The use that tells the axes, if all of the kernel is one matrix, or several."""
    for record in ledger.records.values():
        if record.leaf == leaf and record.fans is not None:
            is_plain = not record.through and not record.mixed and not record.view.lost
            return record if is_plain and record.axes.get("out") else None
    return None


def _drawn(record: Record, value: Any, key: Any) -> Any:
    axes = record.axes
    scheme = orthogonal(out_axis=axes["out"], batch_axis=axes.get("batch", ()))
    drawn = scheme(key, tuple(value.shape), value.dtype)
    return jax.device_put(drawn, value.sharding) if isinstance(value, jax.Array) else drawn
