"""Selectors: globs against a brute-force matcher, roles, layers, algebra, JSON."""

import json
import pickle
import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jinit
from jinit.model.selectors import as_selector, selector_from_config
from jinit.presets.names import QUERY


@dataclass
class Fake:
    path: str
    role: str = "unknown"
    layer: str | None = None


def selects(selector, path: str) -> bool:
    return as_selector(selector)(Fake(path))


@pytest.mark.parametrize(
    ("glob", "hits", "misses"),
    [
        ("**/kernel", ["kernel", "a/kernel", "a/b/kernel"], ["kernels", "a/kernel/b", "akernel"]),
        ("*/kernel", ["a/kernel"], ["kernel", "a/b/kernel"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a/c", "ab/c"]),
        ("a/**/c", ["a/c", "a/b/c", "a/b/b/c"], ["a/bc", "c"]),
        ("**", ["a", "a/b"], []),
        ("**/attn/**", ["attn/q", "x/attn/q/w"], ["attn", "xattn/q"]),
        ("h_?/w", ["h_1/w"], ["h_11/w", "h_/w"]),
        ("h_[0-2]/w", ["h_0/w", "h_2/w"], ["h_3/w"]),
        ("h_[!0]/w", ["h_1/w"], ["h_0/w"]),
        ("**/{q,k,v}/w", ["q/w", "a/v/w"], ["o/w", "qk/w", "{q,k,v}/w"]),
        ("a.b/(c)", ["a.b/(c)"], ["axb/(c)", "a.b/c"]),
        ("h_*_x/w", ["h_1_x/w", "h__x/w"], ["h_1/2_x/w"]),
    ],
)
def test_globs(glob, hits, misses):
    assert [path for path in hits if not selects(glob, path)] == []
    assert [path for path in misses if selects(glob, path)] == []


def _matches(names, path):
    """Whether a list of glob names ('**', '*' or plain) matches a list of path names."""
    if not names:
        return not path
    if names[0] == "**":
        if len(names) == 1:
            return True
        return any(_matches(names[1:], path[i:]) for i in range(len(path) + 1))
    return bool(path) and names[0] in ("*", path[0]) and _matches(names[1:], path[1:])


@given(
    st.lists(st.sampled_from(["**", "*", "a", "b"]), min_size=1, max_size=4),
    st.lists(st.sampled_from("ab"), min_size=1, max_size=5),
)
def test_globs_against_brute_force(names, path):
    # "a/**" means what is inside a, and not a itself.
    expected = _matches(names, path) and not (
        len(names) > 1 and names[-1] == "**" and not _matches([*names[:-1], "*", "**"], path)
    )
    assert selects("/".join(names), "/".join(path)) == expected


@pytest.mark.parametrize("glob", ["", "/a", "a/", "a//b"])
def test_globs_that_cannot_be_read(glob):
    with pytest.raises(ValueError, match="must be names joined by single slashes"):
        as_selector(glob)


@pytest.mark.parametrize("glob", ["a[b", "{q,k/w"])
def test_open_brackets(glob):
    with pytest.raises(ValueError, match="open"):
        as_selector(glob)


def test_other_selectors():
    assert selects(re.compile(r"mlp_\d+$"), "a/mlp_3")
    assert not selects(re.compile(r"^mlp"), "a/mlp")
    assert selects(lambda leaf: leaf.path == "x", "x")
    conv = Fake("a", role="conv", layer="Conv")
    assert jinit.by_role("dense", "conv")(conv)
    assert not jinit.by_role("dense")(conv)
    assert jinit.by_layer("Conv")(conv)
    assert not jinit.by_layer("conv")(conv)


def test_algebra():
    both = jinit.by_role("conv") & "a/**"
    assert both(Fake("a/b", role="conv"))
    assert not both(Fake("b", role="conv"))
    either = "x" | jinit.by_role("conv")
    assert either(Fake("x"))
    assert either(Fake("b", role="conv"))
    assert not (~either)(Fake("x"))


EVERY = [
    as_selector("**/kernel"),
    as_selector(re.compile("a+", re.IGNORECASE)),
    jinit.by_role("bias"),
    jinit.by_layer("Dense", "Conv"),
    ~(jinit.by_role("dense") & ("a" | jinit.by_layer("X"))),
]


@pytest.mark.parametrize("selector", EVERY, ids=repr)
def test_selectors_are_values(selector):
    again = selector_from_config(json.loads(json.dumps(selector.to_config())))
    assert again == selector
    assert hash(again) == hash(selector)
    assert pickle.loads(pickle.dumps(selector)) == selector
    assert as_selector(eval(repr(selector), {"jinit": jinit, "re": re})) == selector


def test_errors():
    with pytest.raises(TypeError, match=r"a selector must be a glob such as '\*\*/kernel'"):
        as_selector(3)
    with pytest.raises(
        ValueError, match=r"`role` \(='dence'\) must be one of .*did you mean 'dense'"
    ):
        jinit.by_role("dence")
    with pytest.raises(ValueError, match="at least one role"):
        jinit.by_role()
    with pytest.raises(ValueError, match="at least one layer class"):
        jinit.by_layer()
    with pytest.raises(ValueError, match=r"the predicate .*lambda.* has no JSON form"):
        as_selector(lambda leaf: True).to_config()
    with pytest.raises(ValueError, match=r"`selector` \(='globb'\) must be one of"):
        selector_from_config({"globb": ["a"]})
    with pytest.raises(ValueError, match="has one key"):
        selector_from_config({})


def test_prints_with_no_more_brackets_than_needed():
    role, glob = jinit.by_role("bias"), as_selector("a/**")
    assert repr(role | glob | "b") == "jinit.by_role('bias') | 'a/**' | 'b'"
    assert repr(role & (glob | "b") & ~role) == (
        "jinit.by_role('bias') & ('a/**' | 'b') & ~jinit.by_role('bias')"
    )
    assert repr(~(role | glob)) == "~(jinit.by_role('bias') | 'a/**')"
    assert repr(glob | (role & "b")) == "'a/**' | (jinit.by_role('bias') & 'b')"
    assert repr(glob & QUERY) == "'a/**' & jinit.presets.names.QUERY"
