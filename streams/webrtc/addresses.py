"""Addresses to which connectivity checks may go: a stranger names them, so most kinds are refused."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from time import monotonic
from typing import Any

import ifaddr
from aiortc import RTCIceCandidate

REMEMBERED_S = 10

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")


def is_address(text: str) -> bool:
    """Whether the text is an IP address, and no name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def usable(candidate: RTCIceCandidate, local_only: bool) -> bool:
    """Whether connectivity checks may go to a candidate's address.

    Args:
        candidate: the other side's.
        local_only: only this machine can be meant, by its loopback or one of its other addresses (libnice, so
            GStreamer, names no loopback address).  Otherwise loopback is what cannot be meant: behind it are
            services that trust this machine.
    """
    if candidate.protocol.lower() != "udp" or candidate.component != 1 or not 0 < candidate.port < 65536:
        return False
    try:
        address = ipaddress.ip_address(candidate.ip)
    except ValueError:
        # An mDNS name, behind which browsers hide addresses.  Looking it up would ask the whole network;
        # the browser finds us instead.
        return False
    # An IPv4 address in IPv6 clothes is what it is underneath.
    address = getattr(address, "ipv4_mapped", None) or address
    if local_only:
        return address.is_loopback or address in _own(int(monotonic()) // REMEMBERED_S)[0]
    return not _forbidden(address)


def _forbidden(address: Address) -> bool:
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return True
    if address.is_reserved or (address.version == 4 and address in THIS_NETWORK):
        return True  # 255.255.255.255 is among them
    return address in _own(int(monotonic()) // REMEMBERED_S)[1]


@lru_cache(maxsize=1)
def _own(_: int) -> tuple[frozenset[Address], frozenset[Address]]:
    """This machine's addresses, and the broadcast addresses of its networks."""
    own: set[Address] = set()
    broadcast: set[Address] = set()
    for adapter in ifaddr.get_adapters():
        for found in adapter.ips:
            text: Any = found.ip if isinstance(found.ip, str) else found.ip[0]
            address = ipaddress.ip_address(text)
            own.add(address)
            if address.version == 4 and found.network_prefix < 31:
                network = ipaddress.ip_network(f"{text}/{found.network_prefix}", strict=False)
                broadcast |= {network.network_address, network.broadcast_address}
    return frozenset(own), frozenset(broadcast)
