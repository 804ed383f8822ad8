"""stub"""


def is_optimizer(thing):
    return False


def examine(*a):
    raise NotImplementedError
