"""Sitzmann et al. 2020: a network of sines fits a photograph, from an initialization made for it.

    python examples/reproduce/siren_photograph.py [--fast] [--seeds 3] [--out FOLDER]

The paper fits larger images, with more units and over thousands of steps; here it is a photograph
of scikit-learn's, reduced to 85 x 128 pixels. Beside it the same network starts from LeCun's law,
and one of ReLU from He's, trained by Adam at the best learning rate of a grid. Needs
`pip install "jinit[demo]"`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from drawing import COLOURS, draw_band, draw_panels
from evidence import Finding, Source, parse_settings, publish
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.datasets import load_sample_image
from training import measured_every

import jinit

SOURCE = Source(
    "Sitzmann et al. 2020, sections 3.1 and 3.2",
    "networks of sines fit images where ReLU does not; without their initialization they do not",
)
HIDDEN, WIDTH, OMEGA, RATES, BATCH = 3, 128, 30.0, (1e-4, 1e-3, 1e-2), 2048


def sine(x: jax.Array) -> jax.Array:
    """The activation, fast enough for the pixels of an image."""
    return jnp.sin(OMEGA * x)


ZEROS = {"**/bias": jinit.zeros}
SIREN = {"first/kernel": jinit.siren(OMEGA, first=True), "**/kernel": jinit.siren(OMEGA)}
STARTS = {
    "SIREN": (sine, SIREN | ZEROS),
    "sines, LeCun": (sine, {"**/kernel": jinit.lecun_normal} | ZEROS),
    "ReLU, He": (nn.relu, {"**/kernel": jinit.he_normal} | ZEROS),
}


class Picture(nn.Module):
    """From a pixel's coordinates to its colour: a first layer, hidden ones, and a linear last."""

    activation: Callable[[jax.Array], jax.Array]

    @nn.compact
    def __call__(self, coordinates: jax.Array) -> jax.Array:
        """Colours, (pixel, 3)."""
        x = coordinates
        for name in ("first", *(f"hidden_{layer}" for layer in range(HIDDEN))):
            x = self.activation(nn.Dense(WIDTH, name=name)(x))
        return nn.Dense(3, name="last")(x)


class Fit(NamedTuple):
    """What became of one start at one rate, seed by seed (axis 0)."""

    rate: float
    steps: NDArray[np.int64]
    psnr: NDArray[np.float32]
    colours: NDArray[np.float32]


def load_photograph(factor: int) -> NDArray[np.float32]:
    """China, (height, width, 3), in [-1, 1]; each pixel is the mean of `factor`^2 of the file's."""
    pixels = load_sample_image("china.jpg") / np.float32(127.5) - 1
    height, width = (extent // factor for extent in pixels.shape[:2])
    whole = pixels[: height * factor, : width * factor]
    return whole.reshape(height, factor, width, factor, 3).mean((1, 3))


def place(height: int, width: int) -> jax.Array:
    """The pixels' coordinates, (pixel, 2), in [-1, 1]."""
    axes = (jnp.linspace(-1, 1, extent) for extent in (height, width))
    return jnp.stack(jnp.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)


def signal_to_noise(colours: Any, wanted: Any) -> jax.Array:
    """The peak signal-to-noise ratio in dB; the peak is 2, from -1 to 1."""
    return 10 * jnp.log10(4 / jnp.mean(jnp.square(colours - wanted)))


def fit(
    model: nn.Module, rules: Any, photograph: NDArray[np.float32], *, seeds: int, steps: int
) -> Fit:
    """Learn the photograph at every rate of the grid; the rate of the best median ratio."""
    places, wanted = place(*photograph.shape[:2]), jnp.asarray(photograph.reshape(-1, 3))
    start = jinit.plan(jinit.with_inputs(model, places), rules).initialize
    stride = measured_every(steps, points=20)

    def loss(params: Any, rows: jax.Array) -> jax.Array:
        return jnp.mean(jnp.square(model.apply(params, places[rows]) - wanted[rows]))

    def train(rate: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        optimizer = optax.adam(rate)

        def step(carry: Any, key: jax.Array) -> tuple[Any, None]:
            params, state = carry
            rows = jax.random.choice(key, len(places), (BATCH,), replace=False)
            updates, state = optimizer.update(jax.grad(loss)(params, rows), state)
            return (optax.apply_updates(params, updates), state), None

        def leg(carry: Any, keys: jax.Array) -> tuple[Any, jax.Array]:
            carry, _ = jax.lax.scan(step, carry, keys)
            return carry, signal_to_noise(model.apply(carry[0], places), wanted)

        key, order = jax.random.split(key)
        params = start(key)
        keys = jax.random.split(order, (steps // stride, stride))
        (params, _), ratios = jax.lax.scan(leg, (params, optimizer.init(params)), keys)
        return ratios, model.apply(params, places)

    keys = jax.random.split(jax.random.key(0), seeds)
    grid = jnp.repeat(jnp.asarray(RATES), seeds), jnp.tile(keys, len(RATES))
    ratios, colours = jax.jit(lambda grid: jax.lax.map(lambda each: train(*each), grid))(grid)
    ratios = np.reshape(ratios, (len(RATES), seeds, -1))
    chosen = int(np.median(ratios[..., -1], axis=1).argmax())
    images = np.reshape(colours, (len(RATES), seeds, *photograph.shape))
    marks = stride * np.arange(1, steps // stride + 1)
    return Fit(RATES[chosen], marks, ratios[chosen], images[chosen])


def main() -> None:
    """Fit the photograph from every start, and judge."""
    settings = parse_settings(__doc__, seeds=3, fast_seeds=1)
    photograph = load_photograph(10 if settings.fast else 5)
    sizes = {"seeds": settings.seeds, "steps": 40 if settings.fast else 300}
    fits = {
        name: fit(Picture(activation), rules, photograph, **sizes)
        for name, (activation, rules) in STARTS.items()
    }
    findings = judge(fits, photograph)
    publish("siren_photograph", SOURCE, findings, draw_figure(fits, photograph), settings)


def measure_arguments(photograph: NDArray[np.float32]) -> list[float]:
    """The deviations of the sines' arguments in SIREN's hidden layers, untrained."""
    model, places = Picture(sine), place(*photograph.shape[:2])
    params = jinit.initialize(jinit.with_inputs(model, places), SIREN | ZEROS, jax.random.key(0))
    layers = jinit.propagate(model, params, places, backward=False).of_kind("linear")
    return [OMEGA * layer.forward.std for layer in layers[1:-1]]


def judge(fits: dict[str, Fit], photograph: NDArray[np.float32]) -> list[Finding]:
    """What the paper says, and what came out."""
    siren, lecun, relu = (fits[name].psnr[:, -1] for name in STARTS)
    one_colour = float(signal_to_noise(photograph.mean((0, 1)), photograph))
    arguments = measure_arguments(photograph)
    rates = {name: f"at rate {each.rate:g}" for name, each in fits.items()}
    return [
        Finding(
            "std of the sines' arguments in hidden layers, before training",
            "1 in each",
            ", ".join(f"{std:.2f}" for std in arguments),
            all(0.8 < std < 1.1 for std in arguments),
        ),
        Finding(
            "PSNR, SIREN, worst seed, above ReLU's best by 5 dB",
            "fits in a few hundred steps; ReLU stays far below",
            f"{siren.min():.1f} dB {rates['SIREN']}; ReLU {relu.max():.1f} dB {rates['ReLU, He']}",
            bool(siren.min() > relu.max() + 5),
        ),
        Finding(
            "PSNR, sines from LeCun's law, best seed, above one colour by 1 dB at most",
            "without the initialization, poor accuracy",
            f"{lecun.max():.1f} dB {rates['sines, LeCun']}; the mean colour {one_colour:.1f} dB",
            bool(lecun.max() < one_colour + 1),
        ),
    ]


def draw_figure(fits: dict[str, Fit], photograph: NDArray[np.float32]) -> Figure:
    """The ratios over the steps, and the photograph beside what became of it."""
    figure, (learning, pictures) = draw_panels(
        2, title="Sines fit a photograph, from SIREN's initialization"
    )
    images = {"photograph": photograph}
    for (name, each), colour in zip(fits.items(), COLOURS, strict=False):
        draw_band(learning, each.steps, each.psnr, f"{name}, at {each.rate:g}", colour)
        images[f"{name}: {each.psnr[0, -1]:.1f} dB"] = each.colours[0]
    learning.set(xlabel="step of Adam", ylabel="PSNR of the whole photograph, dB", ylim=(0, 45))
    learning.legend(loc="upper left")
    pictures.axis("off")
    for index, (name, image) in enumerate(images.items()):
        frame = pictures.inset_axes((0.45 * (index % 2), 0.54 * (1 - index // 2), 0.42, 0.42))
        frame.imshow(np.clip((image + 1) / 2, 0, 1))
        frame.set_anchor("W")
        frame.set_title(name, fontsize="small")
        frame.axis("off")
    return figure


if __name__ == "__main__":
    main()
