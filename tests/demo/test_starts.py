import pytest

import jinit
from jinit.demo.starts import SHORT_NAMES, default_names, public_schemes, start_named


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("he", jinit.he_normal(nonlinearity="tanh")),
        ("kaiming", jinit.he_normal(nonlinearity="tanh")),
        ("he_uniform", jinit.he_uniform(nonlinearity="tanh")),
        ("kaiming_uniform", jinit.he_uniform(nonlinearity="tanh")),
        ("xavier", jinit.glorot_normal()),
        ("glorot", jinit.glorot_normal()),
        ("lecun", jinit.lecun_normal()),
        ("small_normal", jinit.normal(stddev=0.01)),
        ("orthogonal", jinit.orthogonal(scale="tanh")),
        ("zeros", jinit.zeros()),
    ],
)
def test_names(name, expected):
    assert start_named(name, "tanh") == (expected, expected, expected)


def test_schemes_with_positions_get_theirs():
    init = jinit.looks_linear
    expected = (init(position="first"), init(position="hidden"), init(position="last"))
    assert start_named("looks_linear", "relu") == expected


def test_defaults_are_known():
    assert all(start_named(name, "relu") for name in default_names("relu"))
    assert set(default_names("relu")) - set(default_names("tanh")) == {"looks_linear"}
    assert set(SHORT_NAMES) - set(public_schemes()) >= {"he", "xavier", "small_normal"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("orthogonl", "no scheme is called 'orthogonl'; did you mean 'orthogonal'"),
        ("smal_normal", "did you mean 'small_normal'"),
        ("???", r"no scheme is called '\?\?\?'; there are .*he_normal.*zeros"),
        ("constant", "scheme 'constant' needs `value`, which the demo cannot guess"),
        ("sparse", "scheme 'sparse' cannot be used with its defaults: "),
    ],
)
def test_names_that_cannot_start(name, message):
    with pytest.raises(ValueError, match=message):
        start_named(name, "relu")
