"""A small GPT: causal attention, layer norm before each part, GELU, and an output matrix that is the embedding's.

Trained as such models are: the gradients of two half batches are accumulated and clipped by their common norm, AdamW
decays matrices alone, and the learning rate warms up and then falls along a cosine.

Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; Karpathy's nanoGPT.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

import scratch
import torch_ref
from parity_tests.ports import STEPS

WORDS, LENGTH, WIDTH, HEADS, HALVES, BATCH = 13, 8, 12, 3, 2, 4
CLIP, WARMUP = 0.7, 5


class Block(scratch.nn.Module):
    """x = x + attention(norm(x)); x = x + mlp(norm(x))."""

    def __init__(self) -> None:
        super().__init__()
        nn = scratch.nn
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU("tanh"), nn.Linear(4 * WIDTH, WIDTH), nn.Dropout(0.1)
        )

    def forward(self, x: np.ndarray) -> np.ndarray:
        h = self.norm1(x)
        hidden = np.triu(np.ones((x.shape[1], x.shape[1]), bool), 1)
        x = x + self.attention(h, h, h, attn_mask=hidden, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))

    def backward(self, grad_y: np.ndarray) -> np.ndarray:
        grad_x = grad_y + self.norm2.backward(self.mlp.backward(grad_y))
        # The same array went in three times.
        grad_h = sum(self.attention.backward(grad_x))
        return grad_x + self.norm1.backward(grad_h)


class GPT(scratch.nn.Module):
    """Scores of the next word at each position."""

    def __init__(self) -> None:
        super().__init__()
        nn = scratch.nn
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.drop = nn.Dropout(0.1)
        self.blocks = nn.Sequential(Block(), Block())
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.words.weight

    def forward(self, words: np.ndarray) -> np.ndarray:
        x = self.words(words) + self.places(np.arange(words.shape[1]))
        return self.head(self.norm(self.blocks(self.drop(x))))

    def backward(self, grad_y: np.ndarray) -> None:
        grad_x = self.drop.backward(self.blocks.backward(self.norm.backward(self.head.backward(grad_y))))
        self.places.backward(grad_x.sum(axis=0))  # the same places in every text: a broadcast becomes a sum
        self.words.backward(grad_x)


class TorchBlock(torch_ref.nn.Module):
    """`Block`, for autograd."""

    def __init__(self) -> None:
        super().__init__()
        nn = torch_ref.nn
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU("tanh"), nn.Linear(4 * WIDTH, WIDTH), nn.Dropout(0.1)
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm1(x)
        hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        x = x + self.attention(h, h, h, attn_mask=hidden, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class TorchGPT(torch_ref.nn.Module):
    """`GPT`, for autograd."""

    def __init__(self) -> None:
        super().__init__()
        nn = torch_ref.nn
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.drop = nn.Dropout(0.1)
        self.blocks = nn.Sequential(TorchBlock(), TorchBlock())
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.words.weight

    def forward(self, words: Tensor) -> Tensor:
        x = self.words(words) + self.places(torch.arange(words.shape[1]))
        return self.head(self.norm(self.blocks(self.drop(x))))


def optimizer_of(optim: Any, model: Any, dimensions: Any) -> tuple[Any, Any]:
    """Return AdamW with decay for matrices, and its schedule, of either engine."""
    parameters = list(model.parameters())
    groups = [
        {"params": [one for one in parameters if dimensions(one) >= 2], "weight_decay": 0.1},
        {"params": [one for one in parameters if dimensions(one) < 2], "weight_decay": 0.0},
    ]
    optimizer = optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95))
    return optimizer, optim.lr_scheduler.LambdaLR(optimizer, share)


def share(step: int) -> float:
    """Return the factor that a step's learning rate is multiplied by."""
    return (step + 1) / WARMUP if step < WARMUP else 0.5 + 0.5 * math.cos(math.pi * (step - WARMUP) / STEPS)


def batches() -> Iterator[np.ndarray]:
    """Yield half batches of texts in which each word is the sum of the two before it."""
    rng = np.random.default_rng(7)
    for _ in range(STEPS * HALVES):
        words = list(rng.integers(0, WORDS, (2, BATCH)))
        while len(words) <= LENGTH:
            words.append((words[-1] + words[-2]) % WORDS)
        yield np.stack(words, axis=1)


def by_hand() -> Iterator[float]:
    """Yield the losses of the model on `scratch`."""
    scratch.manual_seed(0)
    model, criterion = GPT().double(), scratch.nn.CrossEntropyLoss()
    optimizer, scheduler = optimizer_of(scratch.optim, model, lambda one: one.data.ndim)
    texts = batches()
    for _ in range(STEPS):
        optimizer.zero_grad()
        total = 0.0
        for _ in range(HALVES):
            text = next(texts)
            logits = model(text[:, :-1])
            total += float(criterion(logits.reshape(-1, WORDS), text[:, 1:].reshape(-1))) / HALVES
            model.backward(criterion.backward(1 / HALVES).reshape(logits.shape))
        scratch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        scheduler.step()
        yield total


def by_autograd() -> Iterator[float]:
    """Yield the losses of the model on PyTorch."""
    torch_ref.manual_seed(0)
    model, criterion = TorchGPT().double(), torch_ref.nn.CrossEntropyLoss()
    optimizer, scheduler = optimizer_of(torch_ref.optim, model, lambda one: one.ndim)
    texts = batches()
    for _ in range(STEPS):
        optimizer.zero_grad()
        total = 0.0
        for _ in range(HALVES):
            text = torch.from_numpy(next(texts))
            logits = model(text[:, :-1])
            loss = criterion(logits.reshape(-1, WORDS), text[:, 1:].reshape(-1)) / HALVES
            loss.backward()
            total += loss.item()
        torch_ref.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        scheduler.step()
        yield total
