import pytest

from jinit.demo.settings import Settings
from jinit.demo.starts import default_names


def test_defaults_are_checked_and_complete():
    assert tuple(Settings().starts) == default_names("relu")
    assert tuple(Settings(activation="tanh").starts) == default_names("tanh")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, r"`depth` \(=0\) must be at least 1"),
        ({"width": -3}, r"`width` \(=-3\) must be at least 1"),
        ({"steps": 0}, r"`steps` \(=0\) must be at least 1"),
        ({"seed": -1}, r"`seed` \(=-1\) must be at least 0"),
        ({"activation": "rleu"}, r"`activation` \(='rleu'\) must be one of .*did you mean 'relu'"),
        ({"schemes": ()}, "`schemes` names 0; give 1 to 8"),
        ({"schemes": tuple("abcdefghi")}, "`schemes` names 9; give 1 to 8"),
        ({"schemes": ("hee",)}, "no scheme is called 'hee'; did you mean 'he'"),
    ],
)
def test_bad_values(options, message):
    with pytest.raises(ValueError, match=message):
        Settings(**options)
