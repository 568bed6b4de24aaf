"""The worker of a Python function; `worker.py` is where to begin reading."""
