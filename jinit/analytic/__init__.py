"""Means and variances through a program, without data: what a model does to Gaussian inputs.

**What is known of a value.** Its mean, and how its entries vary together. Entries are exchangeable
along each axis, so that the covariance of two of them depends only on the axes along which their
positions agree. It is told by components, one variance for a set of axes each:

    value = mean + sum over sets S of sqrt(v_S) * noise_S,       Cov = sum of the v_S with S in T

where noise_S varies along the axes of S and is the same along all others, and T are the axes that
agree. An input has one component, along all its axes; a bias one along the features; an average
loses the axes it goes over: v_S becomes v_S / (extents of these). With it layer norms know that a
value is no stranger to its own mean, batch norms what varies over the batch and what does not, and
an average over attended tokens what they have in common.

**Sums.** A layer's output `y_f = sum_i W_if x_i` of independent zero-mean entries has variance
`Var x * sum_i W_if^2`; what the entries share, the mean included, adds up before it is squared:
`v * (sum_i W_if)^2`. Both sums are taken over the weights that are there, not over their law, with
groups, strides, dilation and padding counted. Addition of values that share a source, such as
`x + x`, `x - mean(x)` or a stem and its residual branch, adds their amplitudes; others' variances.

**Elementwise functions.** Operations on one value make one function f of the Gaussian z beneath it,
however many they are; its mean and variance are sums over a fine grid of z. Its covariance is
Mehler's series `Cov(f(z), f(z')) = sum over k >= 1 of a_k^2 c^k` in the Hermite coefficients a_k of
f, at each correlation c of z and z'. The part of first order stays joined to the source.

**Layers.** Weights that are applied again, as in the steps of a recurrent net or a shared block,
map what their inputs have in common to something that their outcomes have in common. Features of
unlike variances are a mixture of Gaussians. A softmax's shares sum to 1, and how uneven they are is
an integral. The greatest of several values is taken from its distribution function.

**Assumptions.** (1) Values of different layers are independent given what they share, as the
weights between them are drawn independently; of a value and what gates it, only the correlation is
known; (2) sums of many entries are Gaussian; (3) a standard deviation or another normalizer is at
its mean; (4) a kernel's taps give neighbouring positions nothing in common. They hold in the limit
of wide layers, where they make up the mean-field theory of any program (Yang 2019,
arXiv:1910.12478). At widths around 64 predictions are good to a few percent on the average over
draws; a single draw is off by about sqrt(2 / width) for each layer that sees much the same for all
inputs, as behind rectifiers. What is approximated beyond that is named.

After the idea of Bingham & Miikkulainen 2023 (AutoInit, arXiv:2109.08958), derived anew.
"""
