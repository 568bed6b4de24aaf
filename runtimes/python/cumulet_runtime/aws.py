"""Brings SDK calls home. Since 1.31 botocore knows AWS_ENDPOINT_URL; an older one is taught it when
it is imported.
"""

import importlib.machinery
import os
import sys

MODULE = "botocore.session"
KNOWS_SINCE = (1, 31)


class _Finder:
    """Stands before the usual finders and is interested in one module."""

    def find_spec(self, name, path=None, target=None):
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        version = getattr(sys.modules.get("botocore"), "__version__", "0")
        if spec is None or tuple(map(int, version.split(".")[:2])) >= KNOWS_SINCE:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            _teach(module.Session)

        spec.loader.exec_module = exec_module
        return spec


def _teach(session) -> None:
    create_client = session.create_client

    def with_endpoint(self, *args, **more):
        # The sixth argument; boto3 and everybody else gives it by its name.
        if len(args) < 6 and more.get("endpoint_url") is None:
            if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
                more["endpoint_url"] = os.environ.get("AWS_ENDPOINT_URL")
        return create_client(self, *args, **more)

    session.create_client = with_endpoint


def install() -> None:
    sys.meta_path.insert(0, _Finder())
