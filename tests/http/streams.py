#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Large bodies both ways, slow peers, peers that leave, TLS with client certificates, a graceful end.

What a test waits for is an event or a counter of the server, never an amount of time.
"""
import os
import socket
import ssl
import sys
import threading
import warnings

from client import Server, Connection, report

warnings.simplefilter("ignore", DeprecationWarning)  # old TLS is used to see it refused

MB = 1 << 20
# The kernel's socket buffers are not the server's memory; what the server adds must stay under this.
GROWTH_KB = 24 << 10


def until(condition):
    """Polls a condition of the server; ends the test run when it hangs, by the runner's time limit."""
    while not condition():
        os.sched_yield()


def request(target, headers=b'', method=b'GET'):
    return method + b' ' + target + b' HTTP/1.1\r\nHost: x\r\n' + headers + b'\r\n'


def test_upload(server, tls):
    """A consumer that does not read yet stops the sender; memory stays flat; then all arrives."""
    size, block = 200 * MB, b'x' * (64 << 10)
    before = server.rss_kb()
    with Connection(server, tls=tls) as c:
        c.send(request(b'/consume?hold', b'Content-Length: %d\r\n' % size, b'POST'))
        c.sock.setblocking(False)
        sent, refused = 0, 0
        while sent < size and refused < 1000:
            try:
                sent += c.sock.send(block[:size - sent])
                refused = 0
            except (BlockingIOError, ssl.SSLWantWriteError):
                refused += 1
                os.sched_yield()
        held = sent
        c.sock.setblocking(True)
        with Connection(server) as other:  # others are served meanwhile
            other.send(request(b'/imm'))
            report('others are served during a held upload', None if other.answer(b'GET').status == 200 else 'no')
            other.send(request(b'/release'))
            other.answer(b'GET')
        while sent < size:
            n = min(len(block), size - sent)
            c.sock.sendall(block[:n])
            sent += n
        a = c.answer(b'POST')
    grown = server.rss_kb() - before
    report('a held upload stops the sender', None if held < size else 'all %d bytes were taken' % held)
    report('200 MB upload arrives', None if a.body == b'%d\n' % size else a.body)
    report('200 MB upload in bounded memory', None if grown < GROWTH_KB else 'grew by %d KiB' % grown)


def test_slow_reader(server, tls):
    """A reader that does not read stops the producer."""
    size = 200 * MB
    before = server.rss_kb()
    with Connection(server, tls=tls, buffer=64 << 10) as c:
        c.send(request(b'/stream?n=%d' % size))
        head = c.head()
        with Connection(server) as other:
            for _ in range(100):
                other.send(request(b'/work'))
                other.answer(b'GET')
        held = server.rss_kb() - before
        body, got = c.data, 0
        # Chunk framing is checked by the smaller streams; here bytes are counted.
        tail, got = c.data[-7:], len(c.data)
        while tail != b'\r\n0\r\n\r\n':
            more = c.sock.recv(1 << 18)
            if not more:
                break
            got += len(more)
            tail = (tail + more)[-7:]
    grown = server.rss_kb() - before
    report('slow reader gets its answer', None if head.status == 200 and got > size else 'got %d' % got)
    report('slow reader in bounded memory', None if max(held, grown) < GROWTH_KB else 'grew by %d KiB' % max(held, grown))


def test_stream_content(server, tls):
    with Connection(server, tls=tls) as c:
        for n in (0, 1, 1000, 65536, 3 * MB + 17):
            c.send(request(b'/stream?n=%d' % n))
            body = c.answer(b'GET').body
            report('stream of %d bytes' % n, None if body == b'x' * n else 'got %d' % len(body))
        c.send(request(b'/stream?n=1000', method=b'HEAD'))
        a = c.answer(b'HEAD')
        c.send(request(b'/imm'))
        report('HEAD of a stream', None if a.status == 200 and c.answer(b'GET').status == 200 else 'no')
        c.send(request(b'/consume', b'Transfer-Encoding: chunked\r\n', b'POST') + b'3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n')
        report('chunked body streamed', None if c.answer(b'POST').body == b'7\n' else 'no')


def test_broken(server):
    with Connection(server) as c:
        c.send(request(b'/broken'))
        c.head()
        whole = c.chunked()
        report('a broken stream is seen to be broken', 'it looked complete' if whole is not None and whole == b'half' and not c.eof else None)
        report('... and closed', None if c.ended() else 'open')


def test_leaving(server, tls):
    """FIN, RST and half-close are noticed while a request is worked on and while it streams."""
    for how in ('close', 'reset', 'half-close', 'close with much sent ahead', 'reset with much sent ahead'):
        if tls and how == 'half-close':
            continue
        gone = server.counters()['gone']
        with Connection(server, tls=tls) as c:
            c.send(request(b'/long'))
            if 'sent ahead' in how:
                # More than the server takes in meanwhile, so that it stops reading; less than the
                # kernel does, or the FIN would wait behind what cannot be delivered.
                c.send(request(b'/imm') * 2000)
            until(lambda: server.counters()['requests'] >= 2)  # it and /counters itself
            if 'reset' in how:
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
            if how == 'half-close':
                c.sock.shutdown(socket.SHUT_WR)
                status = c.answer(b'GET').status
                report('half-close: still answered', None if status == 503 else status)
        until(lambda: server.counters()['gone'] > gone)
        report('%s is noticed while working' % how)
    cut = server.counters()['cut']
    with Connection(server, tls=tls, buffer=64 << 10) as c:
        c.send(request(b'/stream?n=%d' % (500 * MB)))
        c.head()
    until(lambda: server.counters()['cut'] > cut)
    report('leaving is noticed while streaming')
    with Connection(server, tls=tls) as c:
        c.send(request(b'/consume', b'Content-Length: 100\r\n', b'POST') + b'half')
    until(lambda: server.counters()['requests'] == 1)
    report('leaving in the middle of a streamed body')
    with Connection(server, tls=tls) as c:
        c.send(request(b'/upload', b'Content-Length: 100\r\n', b'POST') + b'half')
    until(lambda: server.counters()['connections'] == 1)
    report('leaving in the middle of a buffered body')
    report('no body is left behind', None if server.counters()['bodies'] == 0 else 'bytes are still counted')


def test_early_answers(server):
    with Connection(server) as c:  # refused before the body: the sender must get to see why
        c.send(request(b'/refuse', b'Content-Length: %d\r\n' % (50 * MB), b'POST'))
        t = threading.Thread(target=c.send, args=(b'x' * (50 * MB),))
        t.start()
        a = c.answer(b'POST')
        t.join()
        report('401 before a large body', None if a and a.status == 401 else 'no answer')
    with Connection(server) as c:
        c.send(request(b'/upload', b'Content-Length: 5\r\nExpect: 100-continue\r\n', b'POST'))
        interim = c.head()
        c.send(b'hello')
        final = c.answer(b'POST')
        report('100 Continue', None if interim.status == 100 and final.body == b'5\n' else 'no')


def test_body_budget(command):
    with Server(command, options=['--bodies-max', '1000000']) as server:
        with Connection(server) as c:
            c.send(request(b'/upload', b'Content-Length: 900000\r\n', b'POST') + b'x' * 800000)
            until(lambda: server.counters()['bodies'] >= 800000)
            with Connection(server) as d:
                d.send(request(b'/upload', b'Content-Length: 900000\r\n', b'POST') + b'x' * 900000)
                report('bodies over the budget', None if d.answer(b'POST').status == 503 else 'taken')
            c.send(b'x' * 100000)
            report('... and the first one arrives', None if c.answer(b'POST').body == b'900000\n' else 'no')
        report('the server ends in order', server.stop())


def test_timeouts(command):
    """Time passes here, but nothing is asserted about how much: only which deadline ended what."""
    options = ['--header-deadline-ms', '300', '--body-idle-ms', '300', '--write-idle-ms', '300',
               '--keepalive-ms', '300']
    with Server(command, tls=True, options=options) as server:
        with Connection(server) as c:
            c.send(b'GET / HT')
            report('408 for a slow head', None if c.answer(b'GET').status == 408 and c.ended() else 'no')
        with Connection(server) as c:
            report('silence is closed', None if c.ended() else 'open')
        with Connection(server) as c:
            c.send(request(b'/upload', b'Content-Length: 10\r\n', b'POST') + b'x')
            report('408 for a slow body', None if c.answer(b'POST').status == 408 and c.ended() else 'no')
        with Connection(server) as c:
            c.send(request(b'/consume', b'Content-Length: 10\r\n', b'POST') + b'x')
            report('408 for a slow streamed body', None if c.answer(b'POST').status == 408 and c.ended() else 'no')
        with Connection(server) as c:
            c.send(request(b'/imm'))
            report('an idle connection is closed', None if c.answer(b'GET') and c.ended() else 'open')
        raw = socket.create_connection(('127.0.0.1', server.tls_port))
        report('a TLS handshake that does not come', None if raw.recv(1) == b'' else 'open')
        raw.close()
        with Connection(server, buffer=4096) as c:
            c.send(request(b'/stream?n=%d' % (100 * MB)))
            until(lambda: server.counters()['nunchi_http_connections_lost_total{write_timeout}'] > 0)
            report('a reader that does not read is closed')
        n = server.counters()
        report('deadlines are counted', None if n['nunchi_http_requests_refused_total{head_timeout}'] >= 3 and
               n['nunchi_http_requests_refused_total{body_timeout}'] == 2 else 'no')
        report('the server ends in order', server.stop())


def test_client_certificates(command):
    with Server(command, tls=True) as plain, \
            Server(command, tls=True, options=['--client-ca', plain.path('ca.pem')]) as server:
        for name in ('ca.pem', 'client.pem', 'client.key'):  # the CA that signed them is plain's
            os.replace(plain.path(name), server.path(name + '.other')) if name != 'ca.pem' else None
        os.replace(server.path('client.pem.other'), server.path('client.pem'))
        os.replace(server.path('client.key.other'), server.path('client.key'))
        with Connection(server, tls=True, client=True) as c:
            c.send(request(b'/echo'))
            body = c.answer(b'GET').body
            report('client certificate', None if b'client=test-client' in body else body)
        refused = False
        try:
            with Connection(server, tls=True) as c:
                c.send(request(b'/echo'))
                refused = c.answer(b'GET') is None
        except (ssl.SSLError, ConnectionError):
            refused = True
        report('no client certificate', None if refused else 'was let in')
        context = ssl.create_default_context(cafile=plain.path('ca.pem'))
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        try:
            context.set_ciphers('ALL:@SECLEVEL=0')
            context.wrap_socket(socket.create_connection(('127.0.0.1', plain.tls_port)), server_hostname='localhost')
            report('TLS 1.1', 'was accepted')
        except (ssl.SSLError, ConnectionError):
            report('TLS 1.1')


def test_graceful_end(command):
    """A stop lets a stream finish and closes idle connections."""
    with Server(command, options=['--loops', '2']) as server:
        with Connection(server) as idle, Connection(server) as c:
            idle.send(request(b'/imm'))
            idle.answer(b'GET')
            c.send(request(b'/stream?n=%d' % (20 * MB)))
            c.head()
            server.process.stdin.close()
            report('idle connection is closed at the end', None if idle.ended() else 'open')
            body = c.chunked()
            report('stream is finished at the end', None if body and len(body) == 20 * MB else 'cut')
        out = server.process.stdout.read()
        report('and then it ends', None if server.process.wait() == 0 and b'stopped' in out else out)


def main():
    command = sys.argv[1:]
    for tls in (False, True):
        with Server(command, tls=True) as server:
            test_upload(server, tls)
            test_slow_reader(server, tls)
            test_stream_content(server, tls)
            test_leaving(server, tls)
            if not tls:
                test_broken(server)
                test_early_answers(server)
            report('the server ends in order', server.stop())
    test_body_budget(command)
    test_timeouts(command)
    test_client_certificates(command)
    test_graceful_end(command)
    return report.done()


if __name__ == '__main__':
    sys.exit(main())
