"""Caffe's fillers from text: what is read, and what every mistake says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jinit.frameworks import caffe
from jinit.initializer import Initializer

READ = {
    'weight_filler { type: "xavier" variance_norm: AVERAGE }': caffe.xavier("AVERAGE"),
    'weight_filler: { type: "msra" }': caffe.msra(),
    "bias_filler {\n  type: 'constant'\n  value: 0.2  # a comment\n}\n": caffe.constant(0.2),
    'type: "gaussian" std: 1e-2, mean: -.5; sparse: 15': caffe.gaussian(-0.5, 0.01, 15),
    'type: "gaussian"\nstd: 0.01f': caffe.gaussian(std=0.01),
    'weight_filler{type:"uniform"min:-1 max:1.}': caffe.uniform(-1.0, 1.0),
    'type: "positive_unitball"': caffe.positive_unitball(),
    'filler { type: "bilinear" }': caffe.bilinear(),
    'type: "xavier" variance_norm: 1': caffe.xavier("FAN_OUT"),
    "weight_filler { }": caffe.constant(),
    "value: 3": caffe.constant(3.0),
    "": caffe.constant(),
    # Fields that the type does not use, as GoogLeNet's text has them.
    'weight_filler { type: "xavier" std: 0.1 }': caffe.xavier(),
    'weight_filler { type: "xavier" sparse: -1 }': caffe.xavier(),
}


@pytest.mark.parametrize("text", READ)
def test_reads(text):
    assert caffe.from_prototxt(text) == READ[text]


ERRORS = {
    'type: "xavir"': r"Caffe has no filler type 'xavir'; did you mean 'xavier'\?",
    'type: "orthogonal"': r"Caffe has no filler type 'orthogonal'; there are 'bilinear'",
    'type: "xavier" variance: 1': r"field 'variance'; did you mean 'variance_norm'\? at line 1",
    'type: "msra"\n  type: "msra"': r"the field 'type' is given twice at line 2, column 3",
    "type: xavier": r"expected a quoted string as `type`, found 'xavier' at line 1, column 7",
    'type: "gaussian" std: big': r"expected a number as `std`, found 'big' at line 1, column 23",
    'type: "gaussian" sparse: 1.5': r"expected an int as `sparse`, found '1.5'",
    'type: "gaussian" std: 1e999': r"expected a number as `std`, found '1e999'",
    "variance_norm: AVG": r"one of FAN_IN, FAN_OUT, AVERAGE as `variance_norm`, found 'AVG'",
    "variance_norm: 3": r"expected one of FAN_IN, FAN_OUT, AVERAGE as `variance_norm`, found '3'",
    'weight_filler { type: "msra"': r"a field's name or }, found the end at line 1, column 29",
    'weight_filler { type: "msra" } bias_filler { }': r"expected nothing more; give one filler",
    "weight_filler type": r"Caffe has no field 'weight_filler'",
    "convolution_param { num_output: 96 }": r"expected a filler such as 'weight_filler', or 'max'",
    'type "msra"': r"expected ':', found '\"msra\"' at line 1, column 6",
    "value: ": r"expected a number as `value`, found the end at line 1, column 8",
    "{ }": r"expected a field's name or the end, found '\{' at line 1, column 1",
    'type: "msra': r"cannot read '\"msra' in line 1 of the prototxt",
    "value: 1\nvalue? 2": r"cannot read '\? 2' in line 2 of the prototxt",
    'type: "xavier" sparse: 3': r"Caffe's filler 'xavier' takes no `sparse` \(=3\)",
    'type: "gaussian" std: -1': r"`std` \(=-1.0\) must be >= 0",
}


@pytest.mark.parametrize("text", ERRORS)
def test_errors(text):
    with pytest.raises(ValueError, match=ERRORS[text]):
        caffe.from_prototxt(text)


_pieces = st.sampled_from(
    [
        "type",
        ":",
        '"xavier"',
        "'msra'",
        "{",
        "}",
        "weight_filler",
        "std",
        "0.1",
        "-3",
        "#",
        "\n",
        " ",
    ]
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(_pieces, max_size=12).map("".join) | st.text(max_size=30))
def test_any_text_is_a_filler_or_a_clear_error(text):
    reasons = []
    try:
        assert isinstance(caffe.from_prototxt(text), Initializer)
    except ValueError as error:  # with its reason, and nothing else is raised
        reasons.append(str(error))
    assert all(reasons)
