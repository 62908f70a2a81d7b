#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ten thousand connections that send a byte now and then, beside normal requests.

All of them must be answered 408 and closed by the head's deadline, and normal requests must go on
meanwhile. Nothing is asserted about how long that takes: the server's own counter and the closes say
that it was the deadline. Source addresses 127.0.0.x keep each below the cap per address.
"""
import resource
import selectors
import socket
import sys

from client import Server, Connection, report

WANTED = 10000
PER_ADDRESS = 400
RSS_KB = 200 << 10


def connections_possible():
    """Both ends count against the limits; server and test are two processes with one limit each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    n = min(WANTED, hard - 200)
    if n < WANTED:
        print('# %d instead of %d slow connections: at most %d open files are allowed' % (n, WANTED, hard))
    return n


def open_slow(server, n):
    slow = []
    for i in range(n):
        s = socket.socket()
        s.bind(('127.0.0.%d' % (10 + i // PER_ADDRESS), 0))
        s.connect(('127.0.0.1', server.port))
        s.send(b'G')
        slow.append(s)
    return slow


def main():
    n = connections_possible()
    with Server(sys.argv[1:], options=['--header-deadline-ms', '3000']) as server:
        before, served = server.rss_kb(), 0
        with Connection(server) as normal:
            slow = open_slow(server, n)
            report('all are let in', None if server.counters()['connections'] > n // 2 else 'no')
            peak = server.rss_kb()
            selector = selectors.DefaultSelector()
            for s in slow:
                s.setblocking(False)
                selector.register(s, selectors.EVENT_READ, b'')
            left, answered, dripping = n, 0, iter(slow)
            while left:
                # A byte from some of them, one normal request, then whatever came.
                for s in [x for x, _ in zip(dripping, range(50))]:
                    try:
                        s.send(b'E')
                    except OSError:
                        pass
                normal.send(b'GET /work HTTP/1.1\r\nHost: x\r\n\r\n')
                a = normal.answer(b'GET')
                served += a is not None and a.status == 200
                for key, _ in selector.select(0):
                    try:
                        data = key.fileobj.recv(4096)
                    except ConnectionResetError:
                        data = b''
                    if data:
                        selector.modify(key.fileobj, selectors.EVENT_READ, key.data + data)
                        continue
                    answered += key.data.startswith(b'HTTP/1.1 408 ')
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    left -= 1
            peak = max(peak, server.rss_kb())
            n408 = server.counters()['nunchi_http_requests_refused_total{head_timeout}']
        report('each was answered 408', None if answered == n else '%d of %d' % (answered, n))
        report('each was counted', None if n408 == n else '%d of %d' % (n408, n))
        report('normal requests went on', None if served > 10 else 'only %d' % served)
        report('memory stayed bounded', None if peak - before < RSS_KB else '%d KiB' % (peak - before))
        print('# %d slow connections, %d normal requests meanwhile, %d KiB more' % (n, served, peak - before))
        report('the server ends in order', server.stop())
        with Server(sys.argv[1:], options=['--address-cap', '5']) as capped:
            held = [Connection(capped) for _ in range(5)]
            for c in held:
                c.send(b'GET /imm HTTP/1.1\r\nHost: x\r\n\r\n')
                c.answer(b'GET')
            with Connection(capped) as sixth:
                report('one address has so many', None if sixth.ended() else 'one more was let in')
            with Connection(capped, source='127.0.0.9') as other:
                other.send(b'GET /imm HTTP/1.1\r\nHost: x\r\n\r\n')
                report('... another one is let in', None if other.answer(b'GET').status == 200 else 'no')
            for c in held:
                c.sock.close()
    return report.done()


if __name__ == '__main__':
    sys.exit(main())
