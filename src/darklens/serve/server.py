"""`darklens serve`: the server process."""

import socket
from ipaddress import ip_address

from darklens.errors import BadInput
from darklens.progress import say

__all__ = ["serve"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_GRACE = 5  # time for requests to end after a signal [s]
_MEGABYTE = 10**6
_BACKLOG = 128


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    models: list[str] | None = None,
    api_only: bool = False,
    upload_limit: int = 100,
    waiting: int = 64,
    device: str = "cpu",
    quiet: bool = False,
) -> None:
    """Serve the browser app and its HTTP API until stopped by Ctrl-C or SIGTERM.

    Nothing is sent anywhere: the page loads no fonts or scripts from elsewhere, and uploads are
    deleted once they are answered.

    Args:
        host: Address to listen on. By default this machine alone can connect; 0.0.0.0 lets
            everybody on the network, without passwords.
        port: Port; 0 takes a free one.
        models: Names of shipped models, paths of model folders, or owner/name on the hub. By
            default all shipped models.
        api_only: Serve the HTTP API without the page.
        upload_limit: Largest upload [MB].
        waiting: Requests that may wait before further ones are refused.
        device: Torch device, such as cpu or cuda.
        quiet: Do not print the address.

    Raises:
        BadInput: If an argument is out of range, the port is taken, or the extra is not installed.
        BadModel: If there is no such model.
    """
    for name, value, least, most in (
        ("port", port, 0, 65_535),
        ("upload-limit", upload_limit, 1, 10_000),
        ("waiting", waiting, 1, 10_000),
    ):
        if not least <= value <= most:
            raise BadInput(f"--{name} must be from {least} to {most}, not {value}")
    try:
        import uvicorn

        from darklens.serve.app import web_app
        from darklens.serve.service import Service
    except ModuleNotFoundError as error:
        raise BadInput(f"the browser app needs {error.name}: pip install 'darklens[web]'") from None
    service = Service(models, device=device, waiting=waiting)
    listening = _listen(host, port)
    app = web_app(
        service,
        limit=upload_limit * _MEGABYTE,
        hosts=_LOOPBACK if host in _LOOPBACK else (),
        api_only=api_only,
        warm_up=True,
    )
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}"
    say(f"darklens serves {address}{'/api' if api_only else ''}; stop it with Ctrl-C", quiet=quiet)
    if not _is_loopback(host):
        say(f"anybody who can reach {host} can use this server", quiet=quiet)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE, lifespan="on"
    )
    uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the address.

    Raises:
        BadInput: If it cannot be.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise _no_address(host, port, error) from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        raise _no_address(host, port, error) from None
    return listening


def _no_address(host: str, port: int, error: Exception) -> BadInput:
    reason = getattr(error, "strerror", None) or str(error)
    return BadInput(f"cannot listen on {host}, port {port}: {reason}; try another --port")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
