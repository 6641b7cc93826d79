"""Hand-made faults, each of which the fast suite must notice. `test_mutants.py` plants them.

A mutant is one replacement in one file of the package, and the test files of which at least one
test has to fail. Each stands for a mistake that initializer code really makes: a scale squared or
not, fans swapped, a truncation constant dropped, a draw in the narrow dtype, a wrong tap.
"""

from typing import NamedTuple

# The promises that show a wrong law, rounding or value; the others cost time and show nothing more.
CATALOGUE = tuple(
    f"test_catalogue.py::test_{promise}"
    for promise in (
        "law",
        "stated_std",
        "narrow_dtypes_are_the_float32_draw_rounded_once",
        "complex",
        "value",
    )
)


class Mutant(NamedTuple):
    """Replace `old` (which occurs once) by `new` in `file`; `tests` must fail."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...] = CATALOGUE


MUTANTS = [
    # Bits.
    Mutant("core/bits.py", "(13, 15, 26, 6)", "(13, 15, 26, 7)", ("core/test_bits.py",)),
    Mutant("core/bits.py", "_GROUPS = 5", "_GROUPS = 4", ("core/test_bits.py",)),
    Mutant("core/bits.py", "0x1BD11BDA", "0x1BD11BDB", ("core/test_bits.py",)),
    Mutant(
        "core/bits.py",
        "return a[0] + b[0] + carry, low",
        "return a[0] + b[0], low",
        ("core/test_bits.py",),
    ),
    Mutant(
        "core/bits.py",
        "if max(math.prod(whole), *strides, 0) < 2**32:",
        "if max(math.prod(whole), *strides, 0) < 2**33:",
        ("core/test_bits.py",),
    ),
    Mutant("core/bits.py", "+ (cross >> np.uint32(16))", "", ("core/test_bits.py",)),
    Mutant("core/bits.py", "first ^ second, _UINTS", "first, _UINTS", ("core/test_bits.py",)),
    # Draws.
    Mutant(
        "core/programs.py",
        "return _rounded(z * second + center, dtype)",
        "return _rounded(z, dtype) * second.astype(dtype)",
    ),
    Mutant("core/programs.py", "unsigned(width - mantissa)", "unsigned(width - mantissa + 1)"),
    Mutant("core/programs.py", "share = stddev * real.type(_SQRT_HALF)", "share = stddev"),
    Mutant("core/programs.py", "jnp.sqrt(u) * radius", "u * radius"),
    Mutant("core/programs.py", "inside = -jnp.expm1(-upper * upper)", "inside = jnp.ones_like(upper)", ("core/test_draw.py",)),
    Mutant("core/programs.py", "for _ in range(3):", "for _ in range(0):", ("core/test_draw.py",)),
    Mutant("core/programs.py", "sign * z * stddev", "z * stddev"),
    Mutant("core/programs.py", "key_radius, key_phase = split_key(key)", "key_radius = key_phase = key", ("core/test_draw.py",)),
    # Laws.
    Mutant("core/laws.py", "/ math.sqrt(12)", "/ 3", ("core/test_laws.py",)),
    Mutant("core/laws.py", "self.stddev * truncated_moments(self.lower, self.upper)[1]", "self.stddev"),
    Mutant("core/laws.py", "square / math.expm1(square)", "square / math.exp(square)", ("core/test_laws.py",)),
    # Variance scaling.
    Mutant("schemes/variance.py", "0.87962566103423978", "1.0"),
    Mutant("schemes/variance.py", "factor=2 if is_complex else 3", "factor=1"),
    Mutant("schemes/variance.py", "factor=2 if is_complex else 3", "factor=3", ("test_catalogue.py::test_complex",)),
    Mutant("schemes/variance.py", "variance = scale / fan if fan else 0.0 * scale", "variance = 10 * scale / fan if fan else 0.0 * scale"),
    Mutant("schemes/variance.py", "variance = scale / fan if fan else 0.0 * scale", "variance = (scale / fan) ** 2 if fan else 0.0 * scale"),
    Mutant("schemes/variance.py", "variance = scale / fan if fan else 0.0 * scale", "variance = 0.0 * scale"),
    Mutant("schemes/variance.py", "else calculate_gain(gain) ** 2", "else calculate_gain(gain)"),
    Mutant("schemes/variance.py", 'return check_non_negative("gain", gain) ** 2', 'return check_non_negative("gain", gain)'),
    Mutant("schemes/he.py", '_slope", negative_slope) ** 2)', '_slope", negative_slope))'),
    Mutant("fans.py", "return Fans(_ratio(taps * inputs, into), _ratio(taps * outputs, groups * out_of))", "return Fans(_ratio(taps * outputs, into), _ratio(taps * inputs, groups * out_of))"),
    Mutant("fans.py", "_ratio(taps * outputs, groups * out_of)", "_ratio(taps * outputs, out_of)"),
    Mutant("fans.py", "return (self.fan_in + self.fan_out) / 2", "return self.fan_in + self.fan_out"),
    Mutant("fans.py", "(self.fan_in * self.fan_out) ** 0.5", "self.fan_in * self.fan_out"),
    # Plain distributions and constants.
    Mutant("schemes/distributions.py", "half_width(dtype) * stddev", "stddev"),
    Mutant("core/laws.py", 'math.sqrt(2 if dtype.kind == "c" else 3)', "math.sqrt(3)"),
    Mutant("schemes/distributions.py", "Uniform(0.0, 1.0, check_non_negative", "Uniform(-1.0, 1.0, check_non_negative"),
    Mutant("schemes/distributions.py", "return _everywhere(Normal(mean, stddev))", "return _everywhere(Normal(stddev, mean))"),
    Mutant("schemes/distributions.py", "(low - mean) / stddev, (high - mean) / stddev", "low / stddev, high / stddev"),
    Mutant("schemes/distributions.py", "/ truncated_moments(law.lower, law.upper)[1]", "* truncated_moments(law.lower, law.upper)[1]"),
    Mutant("schemes/constants.py", "Constant(1), inexact", "Constant(0), inexact"),
    # Values.
    Mutant("initializer.py", 'set_("_hash", None)', 'set_("_hash", id(options))'),
    Mutant("options.py", "mine.tobytes() == theirs.tobytes()", "True", ("test_scheme.py",)),
    Mutant("factory.py", "return is_typed_key(args[0]) or (shaped and is_key(args[0]))", "return is_typed_key(args[0])", ("test_scheme.py",)),
    Mutant("initializer.py", "small = isinstance(parameters, np.ndarray) and isinstance(asked[0], tuple)", "small = True", ("test_scheme.py",)),
    # Gains.
    Mutant("gains.py", "2 / (1 + negative_slope**2)", "2 / (1 + negative_slope)", ("test_gains.py",)),
    Mutant("gains.py", '"tanh": 5 / 3', '"tanh": 1.5925374', ("test_gains.py",)),
    # Orthogonal families.
    Mutant("core/haar.py", "taus, -phase.conj())", "taus, jnp.ones_like(phase))", ("core/test_haar.py",)),
    Mutant("schemes/orthogonality.py", "explicit_axes(shape, (), column_axis, batch_axis)", "explicit_axes(shape, (), -1, batch_axis)", ("schemes/test_orthogonality.py",)),
    Mutant("schemes/convolutions.py", "((k - 1) // 2, k // 2, 0) for k in taps", "(k // 2, (k - 1) // 2, 0) for k in taps", ("schemes/test_conv_orthogonality.py",)),
    Mutant("schemes/conv_orthogonality.py", "bases[index, :, :rank]", "bases[0, :, :rank]", ("schemes/test_conv_orthogonality.py",)),
    Mutant("schemes/isometries.py", "return max(1.0, math.sqrt(outputs / inputs))", "return math.sqrt(outputs / inputs)", ("schemes/test_isometries.py",)),
    Mutant("schemes/isometries.py", "return math.sqrt(view.columns / view.rows)", "return math.sqrt(view.rows / view.columns)", ("schemes/test_isometries.py",)),
    Mutant("schemes/mirroring.py", "jnp.concatenate([matrix, -matrix], axis=0)", "jnp.concatenate([matrix, matrix], axis=0)", ("schemes/test_mirroring.py",)),
    # Identity, sparsity, upsampling.
    Mutant("schemes/identities.py", "% jnp.int32(max(1, diagonal.group_outputs))", "% jnp.int32(shape[diagonal.in_axis])", ("schemes/test_identities.py",)),
    Mutant("schemes/sparsity.py", "key_values, key_places = split_key(key)", "key_values = key_places = key", ("schemes/test_sparsity.py",)),
    Mutant("schemes/sparsity.py", "inputs - math.ceil(round(sparsity * inputs, 6))", "inputs - math.ceil(sparsity * inputs)", ("schemes/test_sparsity.py",)),
    Mutant("schemes/upsampling.py", "np.abs(np.arange(k) - (k - 1) / 2)", "np.abs(np.arange(k) - k / 2)", ("schemes/test_upsampling.py",)),
    Mutant("schemes/upsampling.py", 'if order == "crd":', 'if order == "dcr":', ("schemes/test_upsampling.py",)),
    # Recurrent, bias, sinusoidal, state space, combinators.
    Mutant("schemes/gates.py", "Uniform(1.0, max_time - 1.0)", "Uniform(1.0, max_time)", ("schemes/test_gates.py",)),
    Mutant("schemes/recurrent.py", "beside = jnp.swapaxes(blocks, -3, -2)", "beside = blocks", ("schemes/test_recurrent.py",)),
    Mutant("schemes/bias.py", "np.log(p) - np.log1p(-p)", "np.log1p(-p) - np.log(p)", ("schemes/test_bias.py",)),
    Mutant("schemes/sinusoidal.py", "math.sqrt(6 / fan_in) / omega", "math.sqrt(3 / fan_in) / omega", ("schemes/test_sinusoidal.py",)),
    Mutant("schemes/linear_recurrence.py", "-jnp.log1p(-lost) / 2", "-jnp.log1p(-lost)", ("schemes/test_linear_recurrence.py",)),
    Mutant("schemes/assemblies.py", "draw_inner(init, key, inner, dtype))(keys)", "draw_inner(init, keys[0], inner, dtype))(keys)", ("schemes/test_assemblies.py",)),
    # Whole models.
    Mutant("model/paths.py", 'len(name).to_bytes(4, "little") + name', "name", ("model/test_paths.py",)),
    Mutant("model/paths.py", "for column in data.T:", "for column in data.T[:1]:", ("model/test_paths.py",)),
    Mutant("model/blocks.py", "found[1], int(found[2])", "found[1], len(found[2])", ("model/test_blocks.py",)),
    Mutant("model/selectors.py", 'text += ".*" if last else "(?:.*/)?"', 'text += ".*"', ("model/test_selectors.py",)),
    Mutant("model/ruleset.py", "followed.append(hits[0] if hits else fallback)", "followed.append(hits[-1] if hits else fallback)", ("model/test_rules.py",)),
    Mutant("model/ruleset.py", "if rule.optional or id(rule) in used:", "if True:", ("model/test_rules.py",)),
    Mutant("model/ruleset.py", "        if missed:", "        if False:", ("model/test_rules.py",)),
    Mutant("model/adapting.py", "return init.replace(fans=fans)", "return init", ("model/test_plan.py",)),
    Mutant("model/adapting.py", "return init.replace(nonlinearity=activation)", "return init", ("model/test_plan.py",)),
    Mutant("model/adapting.py", "    if whole is None:\n        return False", "    if whole is None:\n        return True", ("model/test_plan.py",)),
    Mutant("model/declaring.py", "(*slot.stack, *named[2])", "named[2]", ("model/test_plan.py",)),
    Mutant("model/planning.py", "        _check_agreement(group)", "        pass", ("model/test_plan.py",)),
    Mutant("model/planning.py", "if leaf.slot.value is None:", "if False:", ("model/test_rules.py",)),
    Mutant("model/planning.py", "values[row.shared_with or row.path]", "values[row.path]", ("model/test_plan.py",)),
    Mutant("model/drawing.py", "flat[: int(np.prod(shape))]", "flat[-int(np.prod(shape)) :]", ("model/test_initialize.py",)),
    Mutant("model/drawing.py", "np.stack([call.parameters for call in calls])", "np.stack([first.parameters for call in calls])", ("model/test_initialize.py",)),
    Mutant("model/ensembles.py", "np.arange(size, dtype=np.uint32)[:, None]", "np.zeros((size, 1), np.uint32)", ("model/test_ensembles.py",)),
    Mutant("model/measuring.py", "/ (4 * leaf.size)", "/ leaf.size", ("model/test_plan.py",)),
    Mutant("model/targets/uses.py", "(*stack, *batch)", "batch", ("model/test_targets_linen.py",)),
    Mutant("model/targets/uses.py", "Fans(shape[1], shape[1])", "Fans(*shape)", ("model/test_targets_linen.py",)),
    Mutant("model/parts.py", "start = [s if n > 1 else 0 for s, n in", "start = [0 for s, n in", ("model/test_slices.py",)),
    Mutant("model/diagnosis/likeness.py", "(np.abs(r) > least) & (size > 4)", "(np.abs(r) > 1) & (size > 4)", ("model/diagnosis",)),
    Mutant("model/diagnosis/rules.py", "surprise[worst] > math.log(2 / chance)", "surprise[worst] > math.inf", ("model/diagnosis",)),
    Mutant("presets/depth.py", "return 1 / math.sqrt(branches * (leaf.depth", "return 1 / (branches * (leaf.depth", ("presets/test_language.py",)),
    Mutant("presets/unnormalized.py", "blocks ** (-1 / (2 * layers - 2))", "blocks ** (-1 / (2 * layers))", ("presets/test_images.py",)),
    Mutant("presets/post_norm.py", "(8 * depth) ** -0.25", "(2 * depth) ** -0.25", ("presets",)),
    Mutant("presets/width.py", "return 1 / math.sqrt(width.inputs)", "return 1 / width.inputs", ("presets",)),
    # Learned scales.
    Mutant("learned/objectives.py", "jnp.where(g >= 0, 1, -1)", "jnp.where(g > 0, 1, -1)", ("learned/test_loops.py",)),
    Mutant("learned/one_step.py", "[slope / eta for slope in", "[slope for slope in", ("learned/test_loops.py",)),
    Mutant("learned/one_step.py", "_where(over, of_norm, of_loss))", "_where(over, of_loss, of_norm))", ("learned/test_loops.py",)),
    Mutant("learned/one_step.py", "return norm, weights.slopes(values, product)", "return norm, weights.slopes(current, product)", ("learned/test_loops.py",)),
    Mutant("learned/quotient.py", "update / _divisor(start)", "update", ("learned/test_loops.py",)),
    Mutant("learned/batches.py", "[a[:kept], b[kept:]]", "[b[:kept], a[kept:]]", ("learned/test_batches.py",)),
    Mutant("learned/weights.py", "if axis not in leaf.stack)", "if axis >= 0)", ("learned/test_models.py",)),
    Mutant("learned/looping.py", "scales = moved if number < steps else scales", "scales = moved", ("learned/test_loops.py",)),
    # Frameworks.
    Mutant("frameworks/tensorflow/contrib.py", "_WIDENED = 1.3", "_WIDENED = 1.0", ("frameworks/test_figures.py::test_formulas",)),
    Mutant("frameworks/mxnet/elementwise.py", '/ (3 if law == "uniform" else 1)', "/ 3", ("frameworks/test_figures.py::test_formulas",)),
    Mutant("frameworks/shapes.py", ".transpose(np.argsort(order(shape)))", ".transpose(order(shape))", ("frameworks/test_figures.py",)),
    Mutant("frameworks/torch/scaled.py", "in_axis=-1, out_axis=-2).recipe", "in_axis=-2, out_axis=-1).recipe", ("frameworks/test_torch.py::test_sparse",)),
    Mutant("frameworks/torch/scaled.py", '"fan_avg", "normal", rule', '"fan_avg", "truncated_normal", rule', ("frameworks/test_torch.py::test_laws",)),
    Mutant("frameworks/torch/layers.py", 'mode="fan_out", groups=own', 'mode="fan_in", groups=own', ("frameworks/test_torch.py::test_layers",)),
    Mutant("frameworks/keras/scaled.py", '"normal": "truncated_normal"', '"normal": "normal"', ("frameworks/test_keras.py::test_laws",)),
    Mutant("frameworks/seeding.py", "        if is_key(key):\n            _refuse", "        if False:\n            _refuse", ("frameworks/test_seeds.py",)),
    Mutant("frameworks/mxnet/structured.py", "Uniform(-1.0, 1.0), key", "Uniform(0.0, 1.0), key", ("frameworks/test_figures.py",)),
    Mutant("model/adapting.py", "return init.replace(layout=_letters(axes, len(leaf.shape)))", "return init", ("frameworks/test_values.py",)),
    Mutant("model/adapting.py", 'not {"nonlinearity", "negative_slope"} <= init.options.keys()', '"nonlinearity" not in init.options', ("frameworks/test_values.py",)),
    # Weights that exist.
    Mutant("pretrained/operations.py", "slice(extent - cut.stop, extent - cut.start)", "slice(cut.start, cut.stop)", ("pretrained/test_operations.py",)),
    Mutant("pretrained/regrouping.py", "start = start * extent + cut.start", "start = start + cut.start", ("pretrained/test_operations.py",)),
    Mutant("pretrained/torch_layers.py", "(*operations, Flip(taps))", "operations", ("pretrained/test_torch_layers.py",)),
    Mutant("pretrained/torch_layers.py", "groups = [axes.in_axis, axes.out_axis] if stored", "groups = [axes.in_axis, axes.out_axis] if True", ("pretrained/test_torch_layers.py",)),
    Mutant("pretrained/torch_recurrent.py", '_GATES = {4: "ifgo"', '_GATES = {4: "figo"', ("pretrained/test_torch_layers.py",)),
    Mutant("pretrained/resolving.py", '    return replace(missing, problem=f"{one.leaf} has no tensor', '    return replace(missing, outcome="drawn", problem=f"{one.leaf} has no tensor', ("pretrained/test_load.py",)),
    Mutant("pretrained/loading.py", "rows = {} if plan is None else", "rows = {} if True else", ("pretrained/test_load.py",)),
    Mutant("pretrained/placing.py", "if fresh and array.dtype == leaf.dtype", "if array.dtype == leaf.dtype", ("pretrained/test_sharded_load.py",)),
    Mutant("pretrained/adapters/rows.py", "np.sqrt(self.scale / len(old))", "np.sqrt(self.scale)", ("pretrained/test_adapters.py",)),
    Mutant("pretrained/adapters/kernel_size.py", "* (old / new)", "* 1.0", ("pretrained/test_adapters.py",)),
    Mutant("pretrained/adapters/widening.py", "return value.astype(np.float64) / copies.reshape(lengths)", "return value", ("pretrained/test_adapters.py",)),
    Mutant("pretrained/adapters/factors.py", "return Factors(exact - self.scale * product, a, b)", "return Factors(exact - product, a, b)", ("pretrained/test_factors.py",)),
    # Checkpoints.
    Mutant("pretrained/formats/safetensors.py", "if entry.start != end:", "if entry.start < end:", ("pretrained/test_hostile.py",)),
    Mutant("pretrained/formats/safetensors.py", "if stop - start != spec.nbytes:", "if stop - start < spec.nbytes:", ("pretrained/test_hostile.py",)),
    Mutant("pretrained/binary.py", "first += cut.start * row", "first += cut.start", ("pretrained/test_sources.py",)),
    Mutant("pretrained/headers.py", "if len(found) < len(pairs):", "if not found and pairs:", ("pretrained/test_hostile.py",)),
    Mutant("pretrained/formats/sharded.py", "set(\"/\\\\:\\0\")", "set(\"/\")", ("pretrained/test_hostile.py",)),
    Mutant("pretrained/formats/orbax.py", "not self.complete", "True", ("pretrained/test_hostile.py",)),
    Mutant("pretrained/measuring.py", "+= float(reals @ reals) + apart**2 * self.count * reals.size / total", "+= float(reals @ reals)", ("pretrained/test_inspection.py",)),
    Mutant("pretrained/writers/msgpack.py", "values.nbytes <= LONGEST_CHUNK", "True", ("pretrained/test_converting.py",)),
    # Analytic initialization.
    Mutant("analytic/kernel.py", "squares = np.square(met).sum(axis=contracted) * self.share", "squares = np.square(met).sum(axis=contracted)", ("analytic/test_operations.py::test_mean_and_variance[transposed conv]",)),
    Mutant("analytic/kernel.py", "if not names & varying)", "if names)", ("analytic/test_operations.py::test_mean_and_variance[average by a matrix]",)),
    Mutant("analytic/world.py", "share = value * c / self.axes.size(names & over)", "share = value * c", ("analytic/test_laws.py",)),
    Mutant("analytic/softmax.py", "(faded @ weights) ** (count - 1)", "(faded @ weights) ** count", ("analytic/test_laws.py",)),
    Mutant("analytic/bilinear.py", "** (1 if name in varying else 2)", "** 1", ("analytic/test_operations.py::test_mean_and_variance[average of a constant]",)),
    Mutant("analytic/joining.py", "share * max(0.0, share * size - 1) / (size - 1)", "share**2", ("analytic/test_operations.py::test_mean_and_variance[mean over independent steps]",)),
    Mutant("analytic/arithmetic.py", "added(beyond, product(common, common))", "beyond", ("analytic/test_operations.py::test_mean_and_variance[product of correlated]",)),
    Mutant("analytic/outcomes.py", "if layer.identity is None:", "if True:", ("analytic/test_nets.py::test_unit_variance[shared block]",)),
    Mutant("analytic/known.py", "{slices: -degree for slices, degree in found[1].items()}", "found[1]", ("analytic/test_autoinit.py",)),
    # Data-dependent: degrees, what is measured, where scales belong.
    Mutant("data_dependent/making.py", '"rsqrt": Fraction(-1, 2)', '"rsqrt": Fraction(1, 2)', ("data_dependent/test_degrees.py",)),
    Mutant("data_dependent/making.py", "return first.times(scalings[1], -1)", "return first.times(scalings[1])", ("data_dependent/test_degrees.py",)),
    Mutant("data_dependent/degrees.py", "tied = _tied(_sum((1, self.degree), (-1, other.degree)), operation)", "tied = _tied((), operation)", ("data_dependent/test_degrees.py",)),
    Mutant("data_dependent/moments.py", "(root - both) / own", "root / own", ("data_dependent/test_units.py",)),
    Mutant("data_dependent/moments.py", "room = target * target - others", "room = target - others", ("data_dependent/test_units.py",)),
    Mutant("data_dependent/blocks.py", "fixed = fixed + np.int32(_step(block, piece) * piece.start)", "pass", ("data_dependent/test_reuse.py",)),
    Mutant("data_dependent/stepping.py", "found = jnp.where(known[:1] != 0, known, found)", "pass", ("data_dependent/test_reuse.py",)),
    Mutant("data_dependent/grouping.py", "if use.place in chains or use.order > order:", "if True:", ("data_dependent/test_reuse.py",)),
    # Propagation.
    Mutant("propagation/gauges.py", "    return g, gauge_backward(g)", "    return 2 * g, gauge_backward(g)", ("propagation/test_programs.py::test_cotangents_are_what_perturbations_say",)),
    Mutant("propagation/gauges.py", "(jnp.sum(cosines) - n) / (n * (n - 1))", "jnp.sum(cosines) / (n * n)", ("propagation/test_numbers.py::test_forward_moments_are_those_of_float64",)),
    Mutant("propagation/gauges.py", "jnp.mean(jnp.square(means)) / squared", "jnp.square(jnp.mean(means)) / squared", ("propagation/test_numbers.py::test_forward_moments_are_those_of_float64",)),
    Mutant("propagation/units.py", "first = shared + side * left[0]", "first = shared", ("propagation/test_numbers.py::test_forward_moments_are_those_of_float64",)),
    Mutant("propagation/units.py", "tuple(sorted(order.index(axis) for axis in units))", "units", ("propagation/test_frameworks.py::test_every_framework_has_the_same_rows",)),
    Mutant("propagation/survey.py", "self._move(eqn, before, place, signal)", "pass", ("propagation/test_numbers.py::test_forward_moments_are_those_of_float64",)),
    Mutant("propagation/rows.py", "loop.length - 1 - n if loop.reverse else n", "n", ("propagation/test_programs.py::test_scans_have_the_rows_of_what_they_stand_for[backwards]",)),
    Mutant("propagation/bidiagonal.py", "for _ in range(2):", "for _ in range(0):", ("propagation/test_spectrum.py::test_a_wide_spectrum_has_no_copies_of_its_largest_values",)),
    Mutant("propagation/spectrum.py", "np.square(left[:, 0, :]) / inputs", "np.square(left[:, :, 0]) / inputs", ("propagation/test_spectrum.py::test_as_many_steps_as_there_are_singular_values_find_all",)),
    Mutant("propagation/trends.py", "float(x @ logs / (x @ x))", "float(x @ logs / len(x))", ("propagation/test_verdicts.py::test_what_shrinks_by_a_known_factor_vanishes",)),
    Mutant("propagation/verdicts.py", "at_the_end = whole.steepest[1] is points[-1]", "at_the_end = True", ("propagation/test_verdicts.py",)),
    Mutant("propagation/verdicts.py", "ahead, back = ahead[:-1], back[1:]", "ahead, back = ahead[:-1], back[:-1]", ("propagation/test_verdicts.py",)),
    Mutant("propagation/instrument.py", "return method, owner", "return function", ("propagation/test_reports.py::test_all_starts_share_one_program",)),
    # What results say.
    Mutant("shown.py", "isinstance(value, float) and not math.isfinite(value)", "False", ("display/test_shown.py",)),
    Mutant("display/columns.py", "isinstance(cell, Text) else Text(cell)", "True else Text()", ("display/test_shown.py",)),
    # Width.
    Mutant("presets/width.py", 'if set(kinds.values()) == {"fixed"}:', "if False:", ("presets/test_parametrizations.py",)),
]  # fmt: skip
