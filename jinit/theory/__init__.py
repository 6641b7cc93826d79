"""Mean-field theory of wide networks: variance, correlation, criticality, depth scales."""

from jinit.theory.criticality import (
    CriticalLine,
    critical_for_bias,
    critical_for_variance,
    critical_line,
)
from jinit.theory.depths import critical_for_depth
from jinit.theory.fixed_points import FixedPoint, depth_scale, fixed_point
from jinit.theory.maps import MeanField
from jinit.theory.phases import PhaseDiagram, phase_diagram
from jinit.theory.profiles import (
    CorrelationCurve,
    DepthScales,
    correlation_curve,
    depth_scales,
)
from jinit.theory.spectra import JacobianSpectrum, jacobian_spectrum
from jinit.theory.tailoring import leaky_relu_correlation, tat_slope

__all__ = [
    "CorrelationCurve",
    "CriticalLine",
    "DepthScales",
    "FixedPoint",
    "JacobianSpectrum",
    "MeanField",
    "PhaseDiagram",
    "correlation_curve",
    "critical_for_bias",
    "critical_for_depth",
    "critical_for_variance",
    "critical_line",
    "depth_scale",
    "depth_scales",
    "fixed_point",
    "jacobian_spectrum",
    "leaky_relu_correlation",
    "phase_diagram",
    "tat_slope",
]
