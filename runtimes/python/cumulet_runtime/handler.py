"""Finds and loads the user's handler, in the words of Lambda's Python runtime."""

import importlib
import sys
from typing import Callable

from .errors import Fault


def load(name: str) -> Callable:
    """`src/orders/create.handler` → the function. Modules are looked for in `sys.path`."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        problem = "not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': {problem}")
    if module_name.split(".")[0] in sys.builtin_module_names:
        problem = f"Cannot use built-in module {module_name} as a handler module"
        raise Fault("Runtime.BuiltInModuleConflict", problem)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        problem = f"Unable to import module '{module_name}': {error}"
        raise Fault("Runtime.ImportModuleError", problem) from None
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        problem = f"Syntax error in module '{module_name}': {error}"
        raise Fault("Runtime.UserCodeSyntaxError", problem, trace) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        problem = f"Handler '{function_name}' missing on module '{module_name}'"
        raise Fault("Runtime.HandlerNotFound", problem) from None
