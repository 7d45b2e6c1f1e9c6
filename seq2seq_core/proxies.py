"""Proxies named by the environment: addresses of this machine never go through one."""

from __future__ import annotations

import os
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def exempt_loopback() -> None:
    """Adds this machine's own names to ``NO_PROXY`` where a proxy is set; child processes inherit it.

    Servers that this project starts listen on 127.0.0.1, where no proxy can reach them.
    """
    if not {name for name in getproxies_environment() if name != "no"}:
        return
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in given.split(",") if host.strip()]
    # Some libraries read only one of the two spellings.
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])


def describe_proxy(url: str) -> str:
    """How a request to an address is routed, for messages: `` (through the proxy of http_proxy)``; empty without a proxy.

    Args:
        url: an HTTP address.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # not an address
        return ""
    proxies = getproxies_environment()
    scheme = next((name for name in (parts.scheme, "all") if name in proxies), None)
    if parts.scheme not in ("http", "https") or scheme is None or not parts.hostname or proxy_bypass(parts.hostname):
        return ""
    return f" (through the proxy of {scheme}_proxy; NO_PROXY names hosts that are reached without it)"
