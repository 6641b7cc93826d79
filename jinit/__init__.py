"""Parameter initialization for JAX: schemes that are pure functions, and values.

May import: every room of jinit, for its public names only.
"""

import importlib as _importlib
import typing as _typing

from jinit.config import from_config, get, to_config
from jinit.fans import Fans, compute_fans
from jinit.gains import calculate_gain
from jinit.initializer import Initializer
from jinit.schemes.assemblies import split, stacked
from jinit.schemes.bias import prior_bias, torch_bias
from jinit.schemes.callables import from_function
from jinit.schemes.combinators import clipped, masked, scaled, zero_rows
from jinit.schemes.constants import constant, from_array, ones, zeros
from jinit.schemes.conv_orthogonality import conv_orthogonal, delta_orthogonal
from jinit.schemes.distributions import normal, truncated_normal, uniform
from jinit.schemes.embeddings import embedding
from jinit.schemes.gates import chrono_bias, lstm_bias, uniform_gate_bias
from jinit.schemes.glorot import glorot_normal, glorot_uniform, xavier_normal, xavier_uniform
from jinit.schemes.he import he_normal, he_uniform, kaiming_normal, kaiming_uniform
from jinit.schemes.identities import dirac, eye, identity
from jinit.schemes.isometries import scaled_uniform_orthogonal, spectral
from jinit.schemes.lecun import lecun_normal, lecun_uniform
from jinit.schemes.linear_recurrence import lru_nu_log, lru_theta_log
from jinit.schemes.mamba import mamba2_a_log, mamba_a_log, mamba_dt_bias
from jinit.schemes.mirroring import looks_linear
from jinit.schemes.orthogonality import orthogonal
from jinit.schemes.recurrent import block_orthogonal
from jinit.schemes.sinusoidal import siren
from jinit.schemes.sparsity import positive_unitball, sparse
from jinit.schemes.state_space import hippo_legs, hippo_legs_input, s4d_inv, s4d_lin, s4d_real
from jinit.schemes.unit import uniform_unit_scaling, unit_scaling
from jinit.schemes.upsampling import bilinear, icnr
from jinit.schemes.variance import variance_scaling

if _typing.TYPE_CHECKING:
    from jinit import frameworks as frameworks
    from jinit import presets as presets
    from jinit import pretrained as pretrained
    from jinit import theory as theory
    from jinit.analytic.report import AutoinitReport
    from jinit.analytic.rescaling import autoinit
    from jinit.data_dependent.report import LsuvReport
    from jinit.data_dependent.unit_variance import lsuv
    from jinit.learned.one_step import gradinit
    from jinit.learned.quotient import metainit
    from jinit.learned.report import LearnedReport
    from jinit.model.checks import Check, Finding, InitializationError, check
    from jinit.model.ensembles import ensemble, member, member_key, replace_member
    from jinit.model.initializing import initialize
    from jinit.model.leaf import Leaf
    from jinit.model.paths import leaf_key
    from jinit.model.planning import Plan, plan
    from jinit.model.ruleset import RuleError, Rules
    from jinit.model.selectors import by_layer, by_role
    from jinit.model.slices import draw_slice
    from jinit.model.targets.inputs import with_inputs
    from jinit.model.values import keep, per_leaf
    from jinit.pretrained.loading import load
    from jinit.pretrained.report import LoadReport
    from jinit.propagation.comparing import Comparison, compare
    from jinit.propagation.propagating import propagate
    from jinit.propagation.report import Report
    from jinit.propagation.verdict import Verdict
    from jinit.tracing.tracer import trace
    from jinit.tracing.usage import Usage, Use

__version__ = "0.1.0"

__all__ = [
    "AutoinitReport",
    "Check",
    "Comparison",
    "Fans",
    "Finding",
    "InitializationError",
    "Initializer",
    "Leaf",
    "LearnedReport",
    "LoadReport",
    "LsuvReport",
    "Plan",
    "Report",
    "RuleError",
    "Rules",
    "Usage",
    "Use",
    "Verdict",
    "autoinit",
    "bilinear",
    "block_orthogonal",
    "by_layer",
    "by_role",
    "calculate_gain",
    "check",
    "chrono_bias",
    "clipped",
    "compare",
    "compute_fans",
    "constant",
    "conv_orthogonal",
    "delta_orthogonal",
    "dirac",
    "draw_slice",
    "embedding",
    "ensemble",
    "eye",
    "from_array",
    "from_config",
    "from_function",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "gradinit",
    "he_normal",
    "he_uniform",
    "hippo_legs",
    "hippo_legs_input",
    "icnr",
    "identity",
    "initialize",
    "kaiming_normal",
    "kaiming_uniform",
    "keep",
    "leaf_key",
    "lecun_normal",
    "lecun_uniform",
    "load",
    "looks_linear",
    "lru_nu_log",
    "lru_theta_log",
    "lstm_bias",
    "lsuv",
    "mamba2_a_log",
    "mamba_a_log",
    "mamba_dt_bias",
    "masked",
    "member",
    "member_key",
    "metainit",
    "normal",
    "ones",
    "orthogonal",
    "per_leaf",
    "plan",
    "positive_unitball",
    "prior_bias",
    "propagate",
    "replace_member",
    "s4d_inv",
    "s4d_lin",
    "s4d_real",
    "scaled",
    "scaled_uniform_orthogonal",
    "siren",
    "sparse",
    "spectral",
    "split",
    "stacked",
    "to_config",
    "torch_bias",
    "trace",
    "truncated_normal",
    "uniform",
    "uniform_gate_bias",
    "uniform_unit_scaling",
    "unit_scaling",
    "variance_scaling",
    "with_inputs",
    "xavier_normal",
    "xavier_uniform",
    "zero_rows",
    "zeros",
]


# Whole models are imported when they are first asked for: layers alone need none of it.
_LATER = {
    "jinit.analytic.report": "AutoinitReport",
    "jinit.analytic.rescaling": "autoinit",
    "jinit.data_dependent.report": "LsuvReport",
    "jinit.data_dependent.unit_variance": "lsuv",
    "jinit.learned.one_step": "gradinit",
    "jinit.learned.quotient": "metainit",
    "jinit.learned.report": "LearnedReport",
    "jinit.model.checks": "Check Finding InitializationError check",
    "jinit.model.ensembles": "ensemble member member_key replace_member",
    "jinit.model.initializing": "initialize",
    "jinit.model.leaf": "Leaf",
    "jinit.model.paths": "leaf_key",
    "jinit.model.planning": "Plan plan",
    "jinit.model.ruleset": "RuleError Rules",
    "jinit.model.selectors": "by_layer by_role",
    "jinit.model.slices": "draw_slice",
    "jinit.model.targets.inputs": "with_inputs",
    "jinit.model.values": "keep per_leaf",
    "jinit.pretrained.loading": "load",
    "jinit.pretrained.report": "LoadReport",
    "jinit.propagation.comparing": "Comparison compare",
    "jinit.propagation.propagating": "propagate",
    "jinit.propagation.report": "Report",
    "jinit.propagation.verdict": "Verdict",
    "jinit.tracing.tracer": "trace",
    "jinit.tracing.usage": "Usage Use",
}
_ROOMS = ("frameworks", "presets", "pretrained", "theory")
_HOMES = {name: home for home, names in _LATER.items() for name in names.split()}


def __getattr__(name: str) -> _typing.Any:
    """A public name, or a room, that has not been needed so far."""
    if name in _ROOMS:
        return _importlib.import_module(f"jinit.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'jinit' has no attribute {name!r}")
    value = globals()[name] = getattr(_importlib.import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, *_ROOMS]
