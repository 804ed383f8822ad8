"""Layers and losses, mirroring ``torch.nn``: one topic a file, each file a derivation and the code that follows it."""

from scratch.nn import init, utils
from scratch.nn.avg_pooling import AdaptiveAvgPool2d, AvgPool2d
from scratch.nn.batchnorm import BatchNorm1d, BatchNorm2d
from scratch.nn.binary_cross_entropy import BCELoss, BCEWithLogitsLoss
from scratch.nn.container import Sequential
from scratch.nn.conv import Conv2d
from scratch.nn.cosine_embedding import CosineEmbeddingLoss
from scratch.nn.cross_entropy import CrossEntropyLoss
from scratch.nn.dropout import Dropout, Dropout2d
from scratch.nn.embedding import Embedding
from scratch.nn.flatten import Flatten, Unflatten
from scratch.nn.gaussian_nll import GaussianNLLLoss
from scratch.nn.gelu import GELU
from scratch.nn.glu import GLU
from scratch.nn.hardtanh import Hardtanh, ReLU6
from scratch.nn.instancenorm import InstanceNorm2d
from scratch.nn.kl_div import KLDivLoss
from scratch.nn.linear import Identity, Linear
from scratch.nn.log_sigmoid import LogSigmoid
from scratch.nn.loss import HuberLoss, L1Loss, MSELoss, SmoothL1Loss
from scratch.nn.margin import HingeEmbeddingLoss, MarginRankingLoss, SoftMarginLoss
from scratch.nn.max_pooling import MaxPool2d
from scratch.nn.mish import Mish
from scratch.nn.module import Module
from scratch.nn.module_dict import ModuleDict
from scratch.nn.module_list import ModuleList, ParameterList
from scratch.nn.multi_margin import MultiMarginLoss
from scratch.nn.nll import NLLLoss
from scratch.nn.normalization import GroupNorm, LayerNorm
from scratch.nn.parameter import Parameter
from scratch.nn.poisson_nll import PoissonNLLLoss
from scratch.nn.prelu import PReLU
from scratch.nn.relu import ELU, LeakyReLU, ReLU
from scratch.nn.reused import Reused
from scratch.nn.rmsnorm import RMSNorm
from scratch.nn.selu import CELU, SELU
from scratch.nn.sigmoid import Sigmoid, SiLU, Softplus, Tanh
from scratch.nn.softmax import LogSoftmax, Softmax
from scratch.nn.softmin import Softmin
from scratch.nn.softsign import Softsign
from scratch.nn.triplet_margin import TripletMarginLoss

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout2d",
    "Embedding",
    "Flatten",
    "GaussianNLLLoss",
    "GroupNorm",
    "Hardtanh",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "Identity",
    "InstanceNorm2d",
    "KLDivLoss",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MarginRankingLoss",
    "MaxPool2d",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiMarginLoss",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "ParameterList",
    "PoissonNLLLoss",
    "RMSNorm",
    "ReLU",
    "ReLU6",
    "Reused",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softsign",
    "Tanh",
    "TripletMarginLoss",
    "Unflatten",
    "init",
    "utils",
]
