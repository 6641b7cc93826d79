"""State matrices by the properties that HiPPO has: spectrum, normal part, the state it keeps."""

import jax.numpy as jnp
import numpy as np
import pytest

import jinit

N = 16


def legs(n=N):
    return np.asarray(jinit.hippo_legs()(None, (n, n)), np.float64)


def test_legs_is_minus_half_and_skew_but_for_rank_one():
    """A + p p^T = -1/2 I + S with p_n = sqrt(n + 1/2) and S skew: the form that S4 starts from."""
    p = np.sqrt(np.arange(N) + 0.5)
    skew = legs() + np.outer(p, p) + np.eye(N) / 2
    np.testing.assert_allclose(skew, -skew.T, atol=1e-5)
    assert np.abs(skew).max() > 1


def test_eigenvalues_of_legs_are_s4d_real():
    eigenvalues = np.sort(np.diag(legs()))[::-1]  # triangular
    np.testing.assert_array_equal(np.triu(legs(), 1), 0)
    np.testing.assert_array_equal(eigenvalues, jinit.s4d_real()(None, (N,)))


def test_legs_keeps_a_constant_input_in_its_first_coefficient():
    """The mean of a constant input is that constant: A e_0 + B = 0."""
    b = np.asarray(jinit.hippo_legs_input()(None, (N,)), np.float64)
    np.testing.assert_allclose(legs()[:, 0] + b, 0, atol=1e-5)


def test_inverse_frequencies_come_near_those_of_legs():
    """The paper's reason for S4D-Inv: the largest frequencies of the normal part, to a few %."""
    m = 64
    p = np.sqrt(np.arange(2 * m) + 0.5)
    normal = legs(2 * m) + np.outer(p, p)
    exact = np.sort(np.linalg.eigvals(normal).imag)[::-1][:3]
    inverse = np.asarray(jinit.s4d_inv(part="imag")(None, (m,)))[:3]
    np.testing.assert_allclose(inverse, exact, rtol=0.06)


@pytest.mark.parametrize("scheme", [jinit.s4d_lin, jinit.s4d_inv])
def test_complex_values_are_their_parts(scheme):
    values = np.asarray(scheme(dtype=jnp.complex64)(None, (2, 8)))
    assert values.dtype == np.complex64
    np.testing.assert_array_equal(values.real, scheme(part="real")(None, (2, 8)))
    np.testing.assert_array_equal(values.imag, scheme(part="imag")(None, (2, 8)))


def test_errors():
    with pytest.raises(
        ValueError, match=r"jinit.s4d_lin gives complex values, which dtype float32"
    ):
        jinit.s4d_lin()(None, (4,))
    with pytest.raises(ValueError, match=r"`part` \(='imaginary'\) must be one of .* 'imag'"):
        jinit.s4d_inv(part="imaginary")
    with pytest.raises(ValueError, match=r"`shape` \(=\(3, 4\)\) must end in two equal axes"):
        jinit.hippo_legs()(None, (3, 4))
    with pytest.raises(ValueError, match=r"`shape` \(=\(4,\)\) must end in two equal axes"):
        jinit.hippo_legs()(None, (4,))
    with pytest.raises(ValueError, match=r"`shape` \(=\(\)\) has no axis"):
        jinit.s4d_real()(None, ())
