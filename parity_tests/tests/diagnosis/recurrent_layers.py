"""The first half of a recurrent layer with a state of two arrays, as text."""

SEQUENCE = """
class Sequence:
    def __init__(self, n, width):
        self.U, self.V = np.random.randn(n, width) / 2, np.random.randn(width, width) / 2

    def forward(self, x, state):
        h, total = state
        self.x, self.hs = x, [h]
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ self.U + h @ self.V)
            total = total + h
            self.hs.append(h)
        return np.stack(self.hs[1:], axis=1), (h, total)
"""
