"""Which addresses of the internet a request may go to: public ones only, decided after the name was resolved.

The connection goes to an address that was checked, never to a name that is resolved a second time, so that a name
which changes its address in between (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

__all__ = ["AddressRefused", "is_public", "resolve_host"]

# Addresses in which an IPv4 address stands that is reached in the end (RFC 6052); the second is for private use.
_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")


class AddressRefused(Exception):
    """A name leads to an address that no request may go to."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public internet, and of one machine (RFC 6890).

    >>> is_public(ip_address("::ffff:127.0.0.1"))
    False
    """
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner:
            return is_public(inner)
        if address in _LOCAL_NAT64 or address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


async def resolve_host(host: str, port: int, *, is_private: bool) -> list[str]:
    """The addresses of a host that may be connected to, at least one.

    Args:
        host: a name, or an address in any form that the system reads (``2130706433`` is 127.0.0.1 to it).
        port: the port.
        is_private: whether addresses that are not public are allowed, too.

    Raises:
        AddressRefused: an address of it is not public.
        OSError: the name has no address.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not is_private:
        for address in addresses:
            if not is_public(ip_address(address.partition("%")[0])):
                raise AddressRefused(f"{host} leads to {address}, which is no address of the public internet")
    return addresses
