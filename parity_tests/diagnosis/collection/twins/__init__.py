"""The collection's table: each right layer, how it is called, and its wrong twins, made by replacing some text."""

from parity_tests.diagnosis.collection.twins.activations import ACTIVATIONS
from parity_tests.diagnosis.collection.twins.layers import LAYERS
from parity_tests.diagnosis.collection.twins.losses import LOSSES
from parity_tests.diagnosis.collection.twins.subject import Subject, Twin
from parity_tests.diagnosis.collection.twins.training import TRAINING

SUBJECTS = (*LAYERS, *ACTIVATIONS, *LOSSES, *TRAINING)

__all__ = ["SUBJECTS", "Subject", "Twin"]
