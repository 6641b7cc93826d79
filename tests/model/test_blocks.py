"""Blocks: which numbered part of a model a path is in."""

import pytest

from jinit.model.blocks import number_blocks


def found(*paths: str) -> dict[str, tuple[int, int]]:
    blocks = number_blocks([tuple(path.split("/")) for path in paths])
    return {"/".join(parts): tuple(block) for parts, block in blocks.items()}


def test_numbers_are_numbers_and_not_text():
    assert found("h_0/w", "h_10/w", "h_9/w", "head/w") == {
        "h_0/w": (0, 3),
        "h_9/w": (1, 3),
        "h_10/w": (2, 3),
    }


@pytest.mark.parametrize("name", ["h_{}", "layers.{}", "block{}", "{}", "blocks/{}"])
def test_usual_spellings(name):
    paths = [f"{name.format(i)}/attn/kernel" for i in range(3)]
    assert found(*paths) == {path: (i, 3) for i, path in enumerate(paths)}


def test_outermost_blocks_count():
    # A Mixer block holds two perceptrons and norms; the perceptrons are no blocks.
    paths = [
        f"MixerBlock_{i}/{part}"
        for i in range(2)
        for part in ("LayerNorm_0/scale", "MlpBlock_0/Dense_0/kernel", "MlpBlock_1/Dense_1/kernel")
    ]
    assert found(*paths) == {path: (int(path[11]), 2) for path in paths}


def test_stages_of_nothing_but_blocks_are_counted_through():
    paths = ["stage_0/block_0/w", "stage_0/block_1/w", "stage_1/block_0/w", "stem/w"]
    assert found(*paths) == {path: (i, 3) for i, path in enumerate(paths[:3])}


def test_families_are_counted_apart():
    assert found("encoder/layers_0/w", "decoder/layers_0/w", "decoder/layers_1/w") == {
        "encoder/layers_0/w": (0, 1),
        "decoder/layers_0/w": (0, 2),
        "decoder/layers_1/w": (1, 2),
    }


def test_a_numbered_leaf_is_no_block():
    assert found("layer/w_0", "layer/w_1") == {}
    assert found("cell_0/w_0", "cell_0/w_1") == {"cell_0/w_0": (0, 1), "cell_0/w_1": (0, 1)}
