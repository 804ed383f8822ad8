"""The likely mistakes, each as the array that it would have produced.

`parity_tests.diagnosis.diagnose` tries them all. To add one: yield a sentence and an array. A sentence says what was
done and what to do, to somebody who sees nothing else.
"""
