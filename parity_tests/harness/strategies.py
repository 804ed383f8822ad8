"""What the tests draw: dtypes, seeds and memory layouts by Hypothesis; the numbers themselves from a drawn seed.

A test draws plain values only (integers, strings, None) and builds its arrays from them, so that the case Hypothesis
prints after shrinking is a call that can be pasted:

    @given(n=st.integers(0, 4), seed=seeds, layout=layouts, dtype=dtypes)
    def test_something(n, seed, layout, dtype):
        x = array((n, 3), dtype, seed=seed, layout=layout)
        layer = random_state(nn.Linear(3, 5, dtype=dtype), seed)
        check(layer, torch.nn.Linear(3, 5), x, seed=seed).raise_if_different()
"""

from hypothesis import strategies as st

from parity_tests.harness.arrays import LAYOUTS, array, distinct, lay_out, random_state, tied

__all__ = ["array", "distinct", "dtypes", "lay_out", "layouts", "random_state", "seeds", "tied"]

dtypes = st.sampled_from(["float64", "float32"])
seeds = st.integers(0, 2**16)
layouts = st.sampled_from(LAYOUTS)
