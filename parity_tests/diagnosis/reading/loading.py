"""Load a file that somebody wrote, with its neighbours and its package, and look up names in it."""

import ast
import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from parity_tests.diagnosis.reading.running import NotUnderstoodError, Stage


@contextlib.contextmanager
def loaded(path: Path, stage: Stage) -> Iterator[ModuleType]:
    """Run the file and yield its module; afterwards forget it and the neighbours that it imported.

    The file sees a command line of its own, without arguments. Nothing is written beside it: its bytecode would be
    taken for that of the next version if that is as long and is saved within the same second.
    """
    path = path.resolve()
    root, name = _package(path)
    before, sys.path[:] = list(sys.path), [str(root), *sys.path]
    argv, sys.argv = sys.argv, [str(path)]
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    known = dict(sys.modules)
    for stem in {part.stem for part in (*path.parent.glob("*.py"), *root.glob("*.py"))} & set(known):
        if _inside(known[stem], None):
            del sys.modules[stem]  # a file of the same name in another folder
    try:
        with stage(f"loading {path.name}"):
            module = importlib.import_module(name) if "." in name else _run(path, name)
        yield module
    finally:
        sys.path[:], sys.argv, sys.dont_write_bytecode = before, argv, written
        for new in [n for n, found in sys.modules.items() if n not in known and _inside(found, root)]:
            del sys.modules[new]


def _package(path: Path) -> tuple[Path, str]:
    # The folder to put on the path, and the dotted name: a file with relative imports is part of a package.
    root, names = path.parent, [path.stem]
    relative = False
    with contextlib.suppress(SyntaxError, UnicodeDecodeError, OSError):
        tree = ast.parse(path.read_text())
        relative = any(isinstance(node, ast.ImportFrom) and node.level > 0 for node in ast.walk(tree))
    while relative and ((root / "__init__.py").exists() or len(names) == 1) and root != root.parent:
        names.insert(0, root.name)
        root = root.parent
    return root, ".".join(names)


def _run(path: Path, name: str) -> ModuleType:
    if name in sys.modules:
        name = f"learners_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    return module


def _inside(module: object, root: Path | None) -> bool:
    file = getattr(module, "__file__", None)
    if file is None:
        return False
    if root is None:
        return "site-packages" not in file and "lib/python" not in file and not hasattr(module, "__path__")
    return Path(file).resolve().is_relative_to(root)


def parse_args(option: str, text: str, module: ModuleType | None = None) -> tuple[list, dict]:
    """Return the arguments of a call written as ``3, 8, bias=False``; names of ``module`` and of NumPy may be used."""
    refusal = NotUnderstoodError(f'{option}: expected literals such as "3, 8, bias=False", got {text!r}')
    try:
        call = ast.parse(f"f({text})", mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise refusal from error
    if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "f":
        raise refusal
    if any(isinstance(node, ast.Starred) for node in call.args) or any(word.arg is None for word in call.keywords):
        raise refusal
    try:
        values = [_value(node, module) for node in call.args]
        named = {keyword.arg: _value(keyword.value, module) for keyword in call.keywords}
    except (ValueError, TypeError, SyntaxError, AttributeError, MemoryError, RecursionError) as error:
        raise refusal from error
    return values, named


def _value(node: ast.AST, module: ModuleType | None) -> object:
    try:
        return _array(ast.literal_eval(node))
    except ValueError:
        if module is None:
            raise
    if isinstance(node, ast.Name | ast.Attribute):
        found = _named(node, module)
        if not isinstance(found, ModuleType):
            return found
    if isinstance(node, ast.Call):
        made = [_value(argument, module) for argument in node.args]
        return _named(node.func, module)(*made, **{word.arg: _value(word.value, module) for word in node.keywords})
    if isinstance(node, ast.List | ast.Tuple):
        values = [_value(element, module) for element in node.elts]
        return values if isinstance(node, ast.List) else tuple(values)
    if isinstance(node, ast.Dict) and None not in node.keys:
        pairs = zip(node.keys, node.values, strict=True)
        return {ast.literal_eval(key): _value(value, module) for key, value in pairs if key is not None}
    raise ValueError("neither a literal nor a name of the file")


def _named(node: ast.AST, module: ModuleType) -> object:
    # A name of the file, or what NumPy has under the file's name for it.
    if isinstance(node, ast.Name) and not node.id.startswith("_") and node.id in vars(module):
        return vars(module)[node.id]
    if isinstance(node, ast.Attribute) and not node.attr.startswith("_"):
        holder = _named(node.value, module)
        if isinstance(holder, ModuleType) and holder.__name__.split(".")[0] == "numpy":
            return getattr(holder, node.attr)
    raise ValueError("neither a name of the file nor NumPy's")


def _array(value: object) -> object:
    # A list of lists, or a list with a fraction in it, is meant as an array; a list of whole numbers may be sizes.
    if isinstance(value, list) and value and (isinstance(value[0], list) or any(isinstance(v, float) for v in value)):
        try:
            return np.array(value, dtype=np.float64)
        except ValueError:
            return value
    return value
