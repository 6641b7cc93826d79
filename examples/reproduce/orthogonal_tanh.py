"""Pennington et al. 2017: 200 layers of tanh learn from orthogonal weights at criticality.

    python examples/reproduce/orthogonal_tanh.py [--fast] [--seeds 3] [--out FOLDER]

Gaussian weights of the same variance keep the mean of the squared gradient as well, but stretch few
directions and lose the rest; orthogonal ones keep all, which Saxe et al. 2014 saw in linear nets
and called dynamical isometry. Off criticality, in the ordered and the chaotic phase, neither signal
nor gradient gets through (Schoenholz et al. 2017). The paper trains on CIFAR-10; here it is 100
units a layer on digits, by SGD with momentum. Needs `pip install "jinit[demo]"`.
"""

import jax
import jax.numpy as jnp
import numpy as np
from digits import load
from drawing import COLOURS, draw_band, draw_panels
from evidence import Finding, Source, parse_settings, publish
from networks import DeepMLP, make_start
from training import Runs, best, decaying_sgd, train_grid

import jinit

SOURCE = Source(
    "Pennington et al. 2017, Saxe et al. 2014, Schoenholz et al. 2017",
    "deep tanh nets learn orders of magnitude faster from orthogonal weights at criticality",
)
DEPTH, WIDTH, RATES = 200, 100, (1e-4, 1e-3, 3e-3)
CRITICAL = jinit.theory.critical_for_bias("tanh", sigma_b=0.0).sigma_w  # 1
SCHEMES = {
    "orthogonal, critical": jinit.orthogonal(CRITICAL),
    "Gaussian, critical": jinit.lecun_normal(gain=CRITICAL, distribution="normal"),
    "orthogonal, ordered": jinit.orthogonal(0.9),
    "orthogonal, chaotic": jinit.orthogonal(1.41),
}


def main() -> None:
    """Train from every start, measure its Jacobian, and judge."""
    settings = parse_settings(__doc__, seeds=3)
    data, model = load(), DeepMLP(DEPTH, WIDTH, jnp.tanh)
    steps, rates = (50, RATES[-1:]) if settings.fast else (100, RATES)
    sizes = {"rates": rates, "seeds": settings.seeds, "steps": steps}
    keys = jax.random.split(jax.random.key(0), settings.seeds)

    def last_layer(image: jax.Array, variables) -> jax.Array:
        _, sown = model.apply(variables, image[None], mutable=["intermediates"])
        return sown["intermediates"]["outcomes"][0][-1, 0]

    @jax.jit
    def singular_values(variables) -> jax.Array:
        jacobian = jax.jacfwd(last_layer)(data.images[0], variables)
        return jnp.linalg.svd(jacobian, compute_uv=False)

    runs: dict[str, Runs] = {}
    spectra = {}
    for name, scheme in SCHEMES.items():
        start = make_start(model, {"**/kernel": scheme, "**/bias": jinit.zeros})
        runs[name] = best(train_grid(model.apply, start, data, decaying_sgd(steps), **sizes))
        spectra[name] = np.stack([singular_values(start(key)) for key in keys])

    findings = judge(runs, spectra, steps)
    figure, (learning, spectrum) = draw_panels(
        2, title="200 layers of tanh learn from orthogonal weights at criticality"
    )
    for name, colour in zip(SCHEMES, COLOURS, strict=False):
        each = runs[name]
        draw_band(learning, each.steps, each.accuracy, f"{name}, rate {each.rate:g}", colour)
        draw_band(spectrum, np.arange(1, 65), resolved(spectra[name]), name, colour)
    learning.set(xlabel="step", ylabel="accuracy, held out", ylim=(0, 1))
    spectrum.set(xlabel="singular value of the Jacobian, from the greatest", yscale="log")
    spectrum.set(ylabel="its size, untrained")
    figure.legend(*learning.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    publish("orthogonal_tanh", SOURCE, findings, figure, settings)


def resolved(values: np.ndarray) -> np.ndarray:
    """Singular values, the greatest first; nan where float32 rounds them away."""
    return np.where(values > np.finfo(np.float32).eps * values[:, :1], values, np.nan)


def judge(runs: dict[str, Runs], spectra: dict[str, np.ndarray], steps: int) -> list[Finding]:
    """What was seen, start by start."""
    orthogonal, gaussian, *others = SCHEMES
    worst = runs[orthogonal].final().min()
    findings = [
        Finding(
            f"accuracy after {steps} steps, {orthogonal}, worst seed: over 60 %",
            "learns",
            f"{worst:.1%} at rate {runs[orthogonal].rate:g}",
            bool(worst > 0.6),
        )
    ]
    for name in (gaussian, *others):
        greatest = runs[name].final().max()
        findings.append(
            Finding(
                f"accuracy after {steps} steps, {name}, best seed: under 40 %",
                "slower by orders of magnitude" if name == gaussian else "does not learn",
                f"{greatest:.1%} at rate {runs[name].rate:g}",
                bool(greatest < 0.4),
            )
        )
    spread = {name: np.median(values[:, 0] / values[:, 9]) for name, values in spectra.items()}
    findings += [
        Finding(
            f"greatest over tenth singular value, {orthogonal}, median: under 10",
            "all near 1",
            f"{spread[orthogonal]:.2g}",
            bool(spread[orthogonal] < 10),
        ),
        Finding(
            f"the same, {gaussian}: over 1,000",
            "spread grows with depth",
            f"{spread[gaussian]:.1e}",
            bool(spread[gaussian] > 1000),
        ),
    ]
    return findings


if __name__ == "__main__":
    main()
