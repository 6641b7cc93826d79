"""Keys from paths: stable, separated, and the same on every route."""

import hashlib

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jinit
from jinit.model.paths import derive_keys, fold_words, leaf_key, path_words

KEY = jax.random.key(7)
names = st.text(alphabet="ab/_0é", min_size=1, max_size=4)
paths = st.lists(names, min_size=1, max_size=4).map(tuple)


def test_golden_values():
    """Stored models depend on these: a change needs a new key scheme."""
    golden = {
        ("Dense_0", "kernel"): "192148d9 00fe9589",
        ("h_11", "attn", "c_proj", "kernel"): "431a8b46 29406176",
        ("größe",): "1d37e3a0 1c4678e7",
        (): "629ce281 c9ca756f",
    }
    found = {parts: "{:08x} {:08x}".format(*path_words(parts)) for parts in golden}
    assert found == golden


def test_golden_weights():
    params = {"Dense_0": {"kernel": jax.ShapeDtypeStruct((2, 3), "float32")}}
    drawn = jinit.initialize(params, jinit.uniform(low=0.0, high=1.0), jax.random.key(0))
    kernel = np.asarray(drawn["Dense_0"]["kernel"])
    key = jax.random.key(0)
    for word in (0x192148D9, 0x00FE9589):
        key = jax.random.fold_in(key, np.uint32(word))
    np.testing.assert_array_equal(kernel, jax.random.uniform(key, (2, 3)))


@given(paths, paths)
def test_paths_are_hashed_name_by_name(one, other):
    text = b"".join(len(p.encode()).to_bytes(4, "little") + p.encode() for p in one)
    digest = hashlib.blake2b(text, digest_size=8, person=b"jinit-path-1").digest()
    high, low = path_words(one)
    assert (high << 32 | low) == int.from_bytes(digest, "big")
    assert (one == other) == (path_words(one) == path_words(other))


def test_names_are_kept_apart():
    # Linen joins names without a separator, and gives these two the same key.
    assert path_words(("ab", "cdef")) != path_words(("abc", "def"))
    assert path_words(("a/b",)) != path_words(("a", "b"))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(paths, min_size=1, max_size=4))
def test_keys_in_host_memory_are_jax_s(seed, several):
    key = jax.random.key(seed)
    for parts, words in zip(several, derive_keys(key, several), strict=True):
        expected = key
        for word in path_words(parts):
            expected = jax.random.fold_in(expected, np.uint32(word))
        np.testing.assert_array_equal(words, jax.random.key_data(expected))
        np.testing.assert_array_equal(words, jax.random.key_data(leaf_key(key, parts)))


def test_legacy_and_traced_keys_derive_the_same():
    parts = ("a", "b")
    (words,) = derive_keys(KEY, [parts])
    (legacy,) = derive_keys(jax.random.PRNGKey(7), [parts])
    traced = jax.jit(lambda key: jax.random.key_data(derive_keys(key, [parts])[0]))(KEY)
    np.testing.assert_array_equal(words, legacy)
    np.testing.assert_array_equal(words, traced)


def test_other_generators_derive_keys_of_their_own():
    key = jax.random.key(7, impl="rbg")
    (derived,) = derive_keys(key, [("a",)])
    assert jax.random.key_impl(derived) == jax.random.key_impl(key)


def test_fold_words_of_many():
    key = np.asarray(jax.random.key_data(KEY)).reshape(1, 2)
    data = np.arange(6, dtype=np.uint32).reshape(3, 2)
    for row, words in zip(data, fold_words(key, data), strict=True):
        expected = jax.random.fold_in(jax.random.fold_in(KEY, row[0]), row[1])
        np.testing.assert_array_equal(words, jax.random.key_data(expected))


def test_unknown_key_scheme():
    with pytest.raises(ValueError, match=r"`key_scheme` \(=2\) is unknown; allowed: 1"):
        leaf_key(KEY, "a", key_scheme=2)
