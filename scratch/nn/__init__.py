"""Layers and losses, mirroring ``torch.nn``: one topic per file, each a derivation and the code that follows it."""

from scratch.nn import init, utils
from scratch.nn.adaptive_pooling import AdaptiveAvgPool1d, AdaptiveAvgPool2d
from scratch.nn.avg_pooling import AvgPool1d, AvgPool2d
from scratch.nn.batchnorm import BatchNorm1d, BatchNorm2d
from scratch.nn.binary_cross_entropy import BCELoss, BCEWithLogitsLoss
from scratch.nn.container import Sequential
from scratch.nn.conv import Conv1d, Conv2d
from scratch.nn.conv_transpose import ConvTranspose1d, ConvTranspose2d
from scratch.nn.cosine_embedding import CosineEmbeddingLoss
from scratch.nn.cross_entropy import CrossEntropyLoss
from scratch.nn.dropout import Dropout, Dropout2d
from scratch.nn.embedding import Embedding
from scratch.nn.flatten import Flatten, Unflatten
from scratch.nn.gaussian_nll import GaussianNLLLoss
from scratch.nn.gelu import GELU
from scratch.nn.glu import GLU
from scratch.nn.groupnorm import GroupNorm
from scratch.nn.gru import GRU
from scratch.nn.gru_cell import GRUCell
from scratch.nn.hardswish import Hardsigmoid, Hardswish
from scratch.nn.hardtanh import Hardtanh, ReLU6
from scratch.nn.instancenorm import InstanceNorm2d
from scratch.nn.kl_div import KLDivLoss
from scratch.nn.layernorm import LayerNorm
from scratch.nn.linear import Identity, Linear
from scratch.nn.log_sigmoid import LogSigmoid
from scratch.nn.loss import HuberLoss, L1Loss, MSELoss, SmoothL1Loss
from scratch.nn.lstm import LSTM
from scratch.nn.lstm_cell import LSTMCell
from scratch.nn.margin import HingeEmbeddingLoss, MarginRankingLoss, SoftMarginLoss
from scratch.nn.max_pooling import MaxPool1d, MaxPool2d
from scratch.nn.mish import Mish
from scratch.nn.module import Module
from scratch.nn.module_dict import ModuleDict
from scratch.nn.module_list import ModuleList, ParameterList
from scratch.nn.multi_margin import MultiMarginLoss
from scratch.nn.multihead_attention import MultiheadAttention
from scratch.nn.nll import NLLLoss
from scratch.nn.padding import (
    CircularPad1d,
    CircularPad2d,
    ConstantPad1d,
    ConstantPad2d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReplicationPad1d,
    ReplicationPad2d,
    ZeroPad1d,
    ZeroPad2d,
)
from scratch.nn.parameter import Parameter
from scratch.nn.pixel_shuffle import PixelShuffle, PixelUnshuffle
from scratch.nn.poisson_nll import PoissonNLLLoss
from scratch.nn.prelu import PReLU
from scratch.nn.relu import ELU, LeakyReLU, ReLU
from scratch.nn.reused import Reused
from scratch.nn.rmsnorm import RMSNorm
from scratch.nn.rnn import RNN
from scratch.nn.rnn_cell import RNNCell
from scratch.nn.selu import CELU, SELU
from scratch.nn.sigmoid import Sigmoid, SiLU, Softplus, Tanh
from scratch.nn.softmax import LogSoftmax, Softmax
from scratch.nn.softmin import Softmin
from scratch.nn.softsign import Softsign
from scratch.nn.transformer import Transformer
from scratch.nn.transformer_decoder import TransformerDecoder, TransformerDecoderLayer
from scratch.nn.transformer_encoder import TransformerEncoder, TransformerEncoderLayer
from scratch.nn.triplet_margin import TripletMarginLoss
from scratch.nn.upsample import Upsample

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "CircularPad1d",
    "CircularPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout2d",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GaussianNLLLoss",
    "GroupNorm",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "Identity",
    "InstanceNorm2d",
    "KLDivLoss",
    "L1Loss",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MarginRankingLoss",
    "MaxPool1d",
    "MaxPool2d",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiMarginLoss",
    "MultiheadAttention",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "ParameterList",
    "PixelShuffle",
    "PixelUnshuffle",
    "PoissonNLLLoss",
    "RMSNorm",
    "RNNCell",
    "ReLU",
    "ReLU6",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
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
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "TripletMarginLoss",
    "Unflatten",
    "Upsample",
    "ZeroPad1d",
    "ZeroPad2d",
    "init",
    "utils",
]
