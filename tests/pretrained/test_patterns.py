"""Patterns and templates: which tensor goes where, and what is said when one does not."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit
from jinit.pretrained import LoadError, export, grow_rows, part, reshape, torch_to_flax, transpose
from jinit.pretrained.templates import compile_pattern, fill, natural


def leaf(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.dtype("float32"))


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("pattern", "name", "groups"),
    [
        ("h.*.w", "h.3.w", ("3",)),
        ("h.*.w", "h/3/w", ("3",)),
        ("h.*.w", "h.3.fc.w", None),
        ("**.w", "a.b.w", ("a.b",)),
        ("**.w", "w", (None,)),
        ("a.**", "a.b.c", ("b.c",)),
        ("h.?.w", "h.3.w", ()),
        ("h.?.w", "h.12.w", None),
        ("{q,k}_proj", "k_proj", ("k",)),
        ("{q,k}_proj", "v_proj", None),
        ("a+b.w", "a+b.w", ()),
        ("layer*.*", "layer2.0", ("2", "0")),
    ],
)
def test_patterns(pattern, name, groups):
    found = compile_pattern(pattern).fullmatch(name)
    assert (None if found is None else found.groups()) == groups


@pytest.mark.parametrize(
    ("pattern", "name", "template", "path"),
    [
        ("h.*.*.w", "h.3.fc.w", "h_*/*/kernel", "h_3/fc/kernel"),
        ("h.*.*.w", "h.3.fc.w", "{2}/{1}", "fc/3"),
        ("**.w", "a.b.w", "**/kernel", "a/b/kernel"),
        ("**.w", "w", "**/kernel", "kernel"),
        ("h.*.w", "h.3.w", "h/*/*", "h/3/*"),
    ],
)
def test_templates(pattern, name, template, path):
    assert fill(template, compile_pattern(pattern).fullmatch(name)) == path


def test_numbers_in_order():
    assert sorted(["h.10", "h.9", "h.1"], key=natural) == ["h.1", "h.9", "h.10"]


def test_the_first_pattern_that_fits_counts():
    target = {"head": {"kernel": leaf(2, 3)}, "fc": {"kernel": leaf(2, 3)}}
    tensors = {"head.weight": drawn(2, 3), "fc.weight": drawn(3, 2, seed=1)}
    match = [("head.weight", "head/kernel"), ("*.weight", ("*/kernel", transpose()))]
    params, report = jinit.load(target, tensors, match=match)
    np.testing.assert_array_equal(params["head"]["kernel"], tensors["head.weight"])
    np.testing.assert_array_equal(params["fc"]["kernel"], tensors["fc.weight"].T)
    assert report["fc/kernel"].how == "transpose()"
    back = export(params, tensors, match=match)
    for name, value in tensors.items():
        np.testing.assert_array_equal(back[name], value)


def test_regular_expressions_with_names():
    match = {re.compile(r"block(?P<number>\d+)\.w"): "b_{number}/kernel"}
    params, _ = jinit.load({"b_7": {"kernel": leaf(2)}}, {"block7.w": drawn(2)}, match=match)
    np.testing.assert_array_equal(params["b_7"]["kernel"], drawn(2))


def test_a_fused_tensor_goes_to_three_leaves_and_back():
    target = {"attn": {name: {"kernel": leaf(6, 2, 3)} for name in ("q", "k", "v")}}
    tensors = {"qkv": drawn(18, 6)}
    steps = [("q", 0), ("k", 1), ("v", 2)]
    match = {
        "qkv": [
            (f"attn/{name}/kernel", part(number, 3), transpose(), reshape(6, 2, 3))
            for name, number in steps
        ]
    }
    params, report = jinit.load(target, tensors, match=match)
    for name, number in steps:
        expected = tensors["qkv"][6 * number : 6 * number + 6].T.reshape(6, 2, 3)
        np.testing.assert_array_equal(params["attn"][name]["kernel"], expected)
    assert report.totals["used"] == 1
    np.testing.assert_array_equal(export(params, tensors, match=match)["qkv"], tensors["qkv"])


def test_layers_are_stacked_in_the_order_of_their_numbers():
    tensors = {f"h.{n}.w": drawn(3, seed=n) for n in (10, 2, 0, 1, 3, 4, 5, 6, 7, 8, 9)}
    target, match = {"h": {"w": leaf(11, 3)}}, {"h.*.w": "h/w"}
    params, report = jinit.load(target, tensors, match=match, stacked={"h/w": 1})
    for number in range(11):
        np.testing.assert_array_equal(params["h"]["w"][number], tensors[f"h.{number}.w"])
    assert report["h/w"].source == "h.0.w ... h.10.w (11)"
    back = export(params, tensors, match=match, stacked={"h/w": 1})
    for name, value in tensors.items():
        np.testing.assert_array_equal(back[name], value)
    with pytest.raises(LoadError, match=r"h/w float32\[11,3\] would be made of several tensors"):
        jinit.load(target, tensors, match=match)


def test_a_stack_is_taken_apart():
    tensors = {"h.w": drawn(3, 2)}
    target = {f"h_{n}": {"w": leaf(2)} for n in range(3)}
    params, _ = jinit.load(target, tensors, match={"h.w": "h_*/w"})
    for number in range(3):
        np.testing.assert_array_equal(params[f"h_{number}"]["w"], tensors["h.w"][number])
    with pytest.raises(
        LoadError, match=r"h\.w float32\[4,2\] is sent to 'h_\*/w', which are 3 lea"
    ):
        jinit.load(target, {"h.w": drawn(4, 2)}, match={"h.w": "h_*/w"})


def test_a_stack_of_one_layer():
    for tensors in ({"h.0.w": drawn(2)}, {"h.0.w": drawn(1, 2)}):
        params, _ = jinit.load({"w": leaf(1, 2)}, tensors, match={"h.*.w": "w"}, stacked={"w": 1})
        np.testing.assert_array_equal(params["w"], tensors["h.0.w"].reshape(1, 2))


def test_none_leaves_a_tensor_aside():
    match = {"mask": None, "w": "w"}
    _, report = jinit.load({"w": leaf(2)}, {"w": drawn(2), "mask": drawn(9)}, match=match)
    assert report.ignored == ("mask",)


def test_an_entry_with_an_adapter():
    match = {"w": ("w", transpose(), grow_rows("mean"))}
    tensors = {"w": drawn(3, 4)}
    params, report = jinit.load({"w": leaf(6, 3)}, tensors, match=match)
    np.testing.assert_array_equal(params["w"][:4], tensors["w"].T)
    assert report["w"].how == "transpose(), grow_rows('mean')"


MISSES = [
    ({"x.*": "w"}, r"the pattern 'x\.\*' in `match` fits no tensor; the nearest are 'w'"),
    ({"w": "body/v"}, r"w is sent to 'body/v', which is no leaf; the nearest are 'w'"),
    ({"w": ("w", reshape(5))}, r"mismatched: w float32\[2\], and w: reshape\(5\) needs 5 values"),
]


@pytest.mark.parametrize(("match", "message"), MISSES)
def test_entries_that_miss(match, message):
    with pytest.raises(LoadError, match=message):
        jinit.load({"w": leaf(2)}, {"w": drawn(2)}, match=match)


WRONG = [
    ("w", r"`match` must be pairs \(pattern, template\), jinit\.pretrained\.torch_to_flax"),
    ([("w",)], r"an entry of `match` is \(pattern, template\), got \('w',\)"),
    ({3: "w"}, r"a pattern is a string or a compiled regular expression, got 3"),
    ({"w": 3}, r"a template is a path such as 'h_\{1\}/fc/kernel', got 3"),
    (
        {"w": ("w", np.transpose)},
        r"'w': what follows a template is transpose, reshape, flip or part",
    ),
    ({"w": ("w", grow_rows("mean"), transpose())}, r"and last at most one adapter"),
]


@pytest.mark.parametrize(("match", "message"), WRONG)
def test_what_is_no_match(match, message):
    with pytest.raises(TypeError, match=message):
        jinit.load({"w": leaf(2)}, {"w": drawn(2)}, match=match)


def test_a_template_with_a_group_that_is_not_there():
    with pytest.raises(
        ValueError, match=r"the template has '\{2\}', and the pattern .* has 1 groups"
    ):
        jinit.load({"w": leaf(2)}, {"h.0": drawn(2)}, match={"h.*": "{2}"})


EXPORTS = [
    ({"w": leaf(2)}, {"w": drawn(2)}, None, r"w float32\[2\] has no value"),
    (
        {"w": drawn(2)},
        {"v": drawn(2)},
        None,
        r"w float32\[2\] goes to no tensor\nv float32\[2\] is m",
    ),
    ({"w": drawn(2)}, {"w": drawn(3)}, None, r"w float32\[2\], and w makes \[3\]"),
    ({"w": drawn(2)}, {"w": drawn(3)}, {"w": ("w", part(0, 2))}, r"w float32\[2\]: part\(0, 2, ax"),
]


@pytest.mark.parametrize(("params", "like", "match", "message"), EXPORTS)
def test_exports_that_miss(params, like, match, message):
    with pytest.raises(ValueError, match=message):
        export(params, like, match=match)


def test_an_export_needs_names_and_shapes_alone():
    like = {"fc.weight": leaf(3, 2), "fc.num_batches_tracked": jax.ShapeDtypeStruct((), "int64")}
    made = export({"fc": {"kernel": drawn(2, 3)}}, like, match=torch_to_flax())
    assert list(made) == ["fc.weight"]
    np.testing.assert_array_equal(made["fc.weight"], drawn(2, 3).T)
