"""The browser app and its HTTP API: classify, fit, simulate and generate lenses on one page.

`serve` runs the server, `Client` calls it from Python. Names are loaded on first use: a client
needs neither the models nor the web framework.
"""

from typing import TYPE_CHECKING

from darklens.lazy_imports import lazy_names

if TYPE_CHECKING:
    from darklens.serve.app import web_app
    from darklens.serve.client import Client
    from darklens.serve.lens_settings import LensSettings
    from darklens.serve.server import serve
    from darklens.serve.service import Service

__all__ = ["Client", "LensSettings", "Service", "serve", "web_app"]

_HOMES = {
    "Client": "darklens.serve.client",
    "LensSettings": "darklens.serve.lens_settings",
    "Service": "darklens.serve.service",
    "serve": "darklens.serve.server",
    "web_app": "darklens.serve.app",
}

__getattr__ = lazy_names(__name__, _HOMES)
