# What the interpreter is started with. All else is in a package, whose name no function's module
# has, and whose compiled form Python keeps.
import os
import sys

folder = os.path.dirname(os.path.abspath(__file__))
if sys.path[:1] != [folder]:
    sys.path.insert(0, folder)  # PYTHONSAFEPATH leaves it out

from cumulet_runtime import worker  # noqa: E402

worker.main(folder)
