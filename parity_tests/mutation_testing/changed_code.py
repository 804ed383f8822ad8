"""Replace the engine's own code with a mutant."""

import importlib
import inspect
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import FunctionType, ModuleType


class _Replaced(MetaPathFinder):
    """An importer of one module from a given text."""

    def __init__(self, path: str, text: str) -> None:
        self.name, self.path, self.text = _module_name(path), str(Path(path).resolve()), text

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """Find the module."""
        return spec_from_loader(fullname, self, origin=self.path) if fullname == self.name else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Use the default kind of module."""

    def exec_module(self, module: object) -> None:
        """Run the text."""
        module.__file__ = self.path
        exec(compile(self.text, self.path, "exec"), module.__dict__)


def _module_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def _functions(module: ModuleType) -> dict[str, FunctionType]:
    """Return a module's own functions and methods by their qualified names, without their decorators."""
    found = {}
    classes = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
    for owner in (module, *[value for value in classes if isinstance(value, type)]):
        for value in vars(owner).values():
            function = getattr(value, "fget", None) or inspect.unwrap(getattr(value, "__func__", value))
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                found[function.__qualname__] = function
    return found


def forget() -> None:
    """Forget the imported engine and tests, so that the next import runs them again."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("scratch", "parity_tests", "benchmarks")]:
        del sys.modules[name]


def import_afresh(path: str, text: str) -> None:
    """Forget the engine and the tests, and import the module from a changed text."""
    forget()
    sys.meta_path.insert(0, _Replaced(path, text))
    importlib.import_module(_module_name(path))  # now: pytest puts an importer of its own before ours


def swap(path: str, text: str) -> bool:
    """Give the imported module's functions the code of the changed text; return whether that can be done."""
    name = _module_name(path)
    changed = ModuleType(name)
    exec(compile(text, "<mutant>", "exec"), changed.__dict__)
    ours, others = _functions(sys.modules[name]), _functions(changed)
    if any(others[key].__code__.co_freevars != ours[key].__code__.co_freevars for key in others):
        return False
    for key, function in others.items():
        if function.__code__.co_filename == "<mutant>":
            ours[key].__code__ = function.__code__
            ours[key].__defaults__, ours[key].__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    return True
