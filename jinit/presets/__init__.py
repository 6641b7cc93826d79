"""Rules for whole models: framework defaults, model families, depth and width scalings."""

from jinit.presets.actor_critic import ppo
from jinit.presets.branch_gains import layerscale, rezero, skipinit
from jinit.presets.depth import depth_scaled
from jinit.presets.diffusion import dit
from jinit.presets.encoders import bert
from jinit.presets.equinox import equinox_default
from jinit.presets.flax import flax_default
from jinit.presets.gpt import gpt2
from jinit.presets.gpt_neox import neox
from jinit.presets.haiku import haiku_default
from jinit.presets.keras import keras_default
from jinit.presets.llamas import llama
from jinit.presets.low_rank import lora
from jinit.presets.mixers import mlp_mixer
from jinit.presets.olmos import olmo
from jinit.presets.parametrization import Multipliers, Parametrization, Scaling
from jinit.presets.post_norm import DeepNorm, deepnorm
from jinit.presets.resnets import resnet
from jinit.presets.state_spaces import mamba
from jinit.presets.text_to_text import t5
from jinit.presets.torch import torch_default
from jinit.presets.unnormalized import fixup
from jinit.presets.vision import vit
from jinit.presets.width import mup
from jinit.presets.width_and_depth import completep

__all__ = [
    "DeepNorm",
    "Multipliers",
    "Parametrization",
    "Scaling",
    "bert",
    "completep",
    "deepnorm",
    "depth_scaled",
    "dit",
    "equinox_default",
    "fixup",
    "flax_default",
    "gpt2",
    "haiku_default",
    "keras_default",
    "layerscale",
    "llama",
    "lora",
    "mamba",
    "mlp_mixer",
    "mup",
    "neox",
    "olmo",
    "ppo",
    "resnet",
    "rezero",
    "skipinit",
    "t5",
    "torch_default",
    "vit",
]
