"""Layers and losses, mirroring ``torch.nn``: one topic a file, each file a derivation and the code that follows it."""

from scratch.nn import init, utils
from scratch.nn.avg_pooling import AdaptiveAvgPool2d, AvgPool2d
from scratch.nn.batchnorm import BatchNorm1d, BatchNorm2d
from scratch.nn.binary_cross_entropy import BCELoss, BCEWithLogitsLoss
from scratch.nn.container import Sequential
from scratch.nn.conv import Conv2d
from scratch.nn.cross_entropy import CrossEntropyLoss
from scratch.nn.dropout import Dropout
from scratch.nn.embedding import Embedding
from scratch.nn.flatten import Flatten
from scratch.nn.gelu import GELU
from scratch.nn.gru import GRU
from scratch.nn.gru_cell import GRUCell
from scratch.nn.linear import Identity, Linear
from scratch.nn.loss import HuberLoss, L1Loss, MSELoss, SmoothL1Loss
from scratch.nn.lstm import LSTM
from scratch.nn.lstm_cell import LSTMCell
from scratch.nn.max_pooling import MaxPool2d
from scratch.nn.module import Module
from scratch.nn.multihead_attention import MultiheadAttention
from scratch.nn.nll import NLLLoss
from scratch.nn.normalization import GroupNorm, LayerNorm
from scratch.nn.parameter import Parameter
from scratch.nn.relu import ELU, LeakyReLU, ReLU
from scratch.nn.reused import Reused
from scratch.nn.rnn import RNN
from scratch.nn.rnn_cell import RNNCell
from scratch.nn.sigmoid import Sigmoid, SiLU, Softplus, Tanh
from scratch.nn.softmax import LogSoftmax, Softmax

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GroupNorm",
    "HuberLoss",
    "Identity",
    "L1Loss",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "MultiheadAttention",
    "NLLLoss",
    "Parameter",
    "RNNCell",
    "ReLU",
    "Reused",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Tanh",
    "init",
    "utils",
]
