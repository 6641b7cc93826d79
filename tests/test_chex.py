"""chex's own harness: the same assertions with and without jit, on the devices that are there."""

import chex
import jax
import jax.numpy as jnp
from absl.testing import parameterized

import jinit


class SchemesWithAndWithoutJit(chex.TestCase):
    """Shape, dtype and finiteness of every classic scheme, by chex's variants."""

    @chex.variants(with_jit=True, without_jit=True, with_device=True)
    @parameterized.product(
        name=["glorot_normal", "glorot_uniform", "he_normal", "lecun_normal", "normal", "zeros"],
        dtype=["float32", "bfloat16", "float16"],
        shape=[(3, 4), (3, 3, 4, 8), (0, 4)],
    )
    def test_draw(self, name, dtype, shape):
        init = getattr(jinit, name)()
        weights = self.variant(lambda key: init(key, shape, dtype))(jax.random.key(0))
        chex.assert_shape(weights, shape)
        chex.assert_type(weights, jnp.dtype(dtype))
        chex.assert_tree_all_finite(weights)

    def test_no_retracing(self):
        init = jinit.he_normal()

        @jax.jit
        @chex.assert_max_traces(n=1)
        def draw(key):
            return init(key, (3, 4))

        for seed in range(3):
            draw(jax.random.key(seed))
