"""Checkpoints in several files, with an index in JSON that names the file of each tensor.

May import: the standard library, and of `jinit.pretrained` errors, headers, sources.

Reference: https://huggingface.co/docs/transformers/big_models, "Sharded checkpoints".
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.headers import parse_json
from jinit.pretrained.sources import Array, Source, Window

__all__ = ["ShardedSource"]

_LARGEST = 100_000_000  # bytes of an index; that of the largest models takes a tenth


class ShardedSource(Source):
    """The tensors that an index names, each in the file that it names, in that order.

    Args:
        path: of the index.
        open_shard: opens one of the files, which are beside it.
    """

    def __init__(self, path: str, open_shard: Callable[[str], Source]) -> None:
        names = _weight_map(path)
        with ExitStack() as opened:
            shards = {}
            for file in dict.fromkeys(names.values()):
                _check_there(path, file)
                shards[file] = opened.enter_context(open_shard(str(Path(path).parent / file)))
            _check_complete(path, names, shards)
            self._shards = shards
            self._opened = opened.pop_all()
        self._home = names
        ordered = [name for shard in shards.values() for name in shard]
        description = f"{Path(path).name} ({len(shards)} files)"
        self.fresh = all(shard.fresh for shard in shards.values())
        super().__init__({name: shards[names[name]][name] for name in ordered}, description)

    def _read(self, name: str, window: Window | None) -> Array:
        return self._shards[self._home[name]].read(name, window)

    def close(self) -> None:
        """Close the files."""
        self._opened.close()


def _weight_map(path: str) -> dict[str, str]:
    """The file of each tensor; each is a plain name, so that it can be nowhere but here."""
    size = Path(path).stat().st_size
    if size > _LARGEST:
        raise CheckpointError(path, f"has {size:,} bytes; an index may have {_LARGEST:,}")
    index: Any = parse_json(Path(path).read_bytes(), path, "index")
    names = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(names, dict) or not names:
        raise CheckpointError(path, "has no weight_map, which names the file of each tensor")
    for name, file in names.items():
        if not isinstance(file, str) or not _is_plain(file):
            reason = f"is in {file!r:.200}, which is no name of a file in the index's own directory"
            raise CheckpointError(path, reason, name)
    return names


def _is_plain(file: str) -> bool:
    """Whether a file's name leads nowhere else, on any system."""
    return file not in ("", ".", "..") and not set(file) & set("/\\:\0") and file.isprintable()


def _check_there(path: str, file: str) -> None:
    if not (Path(path).parent / file).is_file():
        raise CheckpointError(path, f"names {file!r}, which is not beside it; download that too")


def _check_complete(path: str, names: Mapping[str, str], shards: Mapping[str, Source]) -> None:
    """Raise unless the files hold what the index names, and nothing else."""
    for name, file in names.items():
        if name not in shards[file]:
            raise CheckpointError(path, f"should be in {file!r}, which has no such tensor", name)
    for file, shard in shards.items():
        for name in shard:
            if names.get(name) != file:
                reason = f"is in {file!r}, where the index does not have it; open that file alone"
                raise CheckpointError(path, reason, name)
