#!/usr/bin/env python3
"""Sees every packet that is sent in this network namespace, and sorts it: an answer of the broker to the test, or anything else.

Always true: what is not plainly an answer counts as outward: a connection begun from here, any datagram, any other address, any
packet to itself. io_uring opens connections without a system call that a tracer would see, so packets are what is looked at.

usage: sniff.py BROKER_ADDRESS TEST_ADDRESS     each line on standard input is answered with what was seen so far, as JSON
"""

import collections
import ipaddress
import json
import select
import socket
import struct
import sys

ALL, OUTGOING, SOL_PACKET, STATISTICS, RECEIVE_BUFFER_FORCE = 3, 4, 263, 6, 33
ARP, IPV4, TCP, SYN, ACK = 0x0806, 0x0800, 6, 0x02, 0x10
NAMES = {1: "ICMP", 6: "TCP", 17: "UDP"}


def sort(frame, kind, broker, test):
    """`answer`, `arp`, or what is wrong with this packet."""
    if kind == ARP:
        return "arp"
    if kind != IPV4:
        return f"a packet of type {kind:#06x}"
    packet = frame[14:]
    size, protocol = (packet[0] & 15) * 4, packet[9]
    source, target = (str(ipaddress.ip_address(packet[at:at + 4])) for at in (12, 16))
    name = NAMES.get(protocol, f"protocol {protocol}")
    if protocol != TCP:
        return f"{name} to {target}"
    to_port, flags = struct.unpack("!H", packet[size + 2:size + 4])[0], packet[size + 13]
    if flags & SYN and not flags & ACK:
        return f"a TCP connection begun to {target}:{to_port}"
    return "answer" if source == broker and target == test else f"TCP from {source} to {target}:{to_port}"


def main():
    broker, test = sys.argv[1:]
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
    tap.setsockopt(socket.SOL_SOCKET, RECEIVE_BUFFER_FORCE, 64 << 20)
    seen, dropped = collections.Counter(), 0
    print("watching", flush=True)
    while True:
        ready, _, _ = select.select([tap, sys.stdin], [], [])
        if tap in ready:
            frame, (device, kind, direction, _, _) = tap.recvfrom(65535)
            if direction == OUTGOING:
                seen[sort(frame, kind, broker, test)] += 1
        elif sys.stdin in ready:
            # Only when no packet is left to look at.
            if not sys.stdin.readline():
                return
            dropped += struct.unpack("II", tap.getsockopt(SOL_PACKET, STATISTICS, 8))[1]
            outward = {what: count for what, count in seen.items() if what not in ("answer", "arp")}
            print(json.dumps({"answers": seen["answer"], "arp": seen["arp"], "outward": outward, "unseen": dropped}), flush=True)


if __name__ == "__main__":
    main()
