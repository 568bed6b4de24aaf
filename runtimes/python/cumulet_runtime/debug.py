"""What a worker does that is debugged."""

from . import pipe
from .errors import Fault

REMEDY = (
    "debugpy is not there: add debugpy to the packages of the function, or install it for the"
    " interpreter, python3 -m pip install debugpy"
)


def listen() -> None:
    """Lets a debugger in, and says where. Called when the function's packages can be found."""
    try:
        import debugpy
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"{REMEDY} ({error})") from None
    # A process that the function starts is not stopped with it.
    debugpy.configure(subProcess=False)
    _, port = debugpy.listen(("127.0.0.1", 0))
    pipe.debug(port)
