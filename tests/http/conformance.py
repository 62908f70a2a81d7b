#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Raw requests against the server: what is malformed is refused, what is unusual but valid is served.

Each row: name, bytes, expected statuses in order, what becomes of the connection ("open", "closed"),
and optionally text that the last answer must contain. How an answer ends is known from its framing,
so nothing here waits for time to pass: to see that a connection is open, one more request is sent.
"""
import sys

from client import Server, Connection, report

H = b'Host: x\r\n'
PROBE = b'GET /imm HTTP/1.1\r\nHost: probe\r\n\r\n'


def get(headers=b'', target=b'/echo', version=b'HTTP/1.1', method=b'GET', host=H, body=b''):
    return method + b' ' + target + b' ' + version + b'\r\n' + host + headers + b'\r\n' + body


def post(headers, body=b'', **kw):
    return get(headers, method=b'POST', body=body, **kw)


CHUNKED = b'Transfer-Encoding: chunked\r\n'
HELLO = b'5\r\nhello\r\n0\r\n\r\n'
OPEN, CLOSED = 'open', 'closed'

CASES = [
    # -- what must be served ---------------------------------------------------------------------
    ('plain GET', get(), [200], OPEN, 'method=GET'),
    ('GET with a body', get(b'Content-Length: 5\r\n', body=b'hello'), [200], OPEN, 'body=hello'),
    ('DELETE with a body', get(b'Content-Length: 5\r\n', method=b'DELETE', body=b'hello'), [200],
     OPEN, 'body=hello'),
    ('GET with a chunked body', get(CHUNKED, body=HELLO), [200], OPEN, 'body=hello'),
    ('HEAD', get(method=b'HEAD'), [200], OPEN),
    ('HEAD with a body', get(b'Content-Length: 5\r\n', method=b'HEAD', body=b'hello'), [200], OPEN),
    ('extension method', get(method=b'PROPFIND'), [200], OPEN, 'method=PROPFIND'),
    ('three in a row', get(target=b'/imm') * 3, [200] * 3, OPEN),
    ('pipeline over a worker', post(b'Content-Length: 5\r\n', b'hello', target=b'/upload') +
     get(target=b'/work') + get(target=b'/imm'), [200] * 3, OPEN),
    ('chunk extension', post(CHUNKED, b'5;a=b\r\nhello\r\n0\r\n\r\n'), [200], OPEN, 'body=hello'),
    ('trailer', post(CHUNKED, b'5\r\nhello\r\n0\r\nX-T: v\r\n\r\n'), [200], OPEN, 'body=hello'),
    ('chunk size in upper and lower case', post(CHUNKED, b'A\r\n0123456789\r\n' b'a\r\n0123456789\r\n0\r\n\r\n'),
     [200], OPEN, 'body=01234567890123456789'),
    ('Content-Length 0', post(b'Content-Length: 0\r\n'), [200], OPEN),
    ('two empty lines first', b'\r\n\r\n' + get(), [200], OPEN),
    ('absolute target', get(target=b'http://y/echo?a=1'), [200], OPEN, 'host=y\n'),
    ('absolute target without a path', get(target=b'http://y'), [200], OPEN, 'path=/\n'),
    ('OPTIONS *', get(target=b'*', method=b'OPTIONS'), [200], OPEN, 'path=*'),
    ('UTF-8 in the target', get(target=b'/\xc3\xa9?q=\xc3\xa9'), [200], OPEN,
     'path=/%C3%A9\nquery=q=%C3%A9'),
    ('broken percent escapes stay raw', get(target=b'/e%zz%4?q=%g1'), [200], OPEN, 'path=/e%zz%4\n'),
    ('%00 stays raw until it is decoded', get(target=b'/ec%00ho'), [200], OPEN, 'path=/ec%00ho\n'),
    ('escaped slash', get(target=b'/a%2Fb/%3Cname-%7Bnow%2Fd%7D%3E?q=a%26b'), [200], OPEN,
     'path=/a%2Fb/%3Cname-%7Bnow%2Fd%7D%3E\nquery=q=a%26b'),
    ('Connection: close', get(b'Connection: close\r\n', target=b'/imm'), [200], CLOSED),
    ('Connection: list with close', get(b'Connection: foo, Close\r\n', target=b'/imm'), [200], CLOSED),
    ('HTTP/1.0', get(version=b'HTTP/1.0', host=b'', target=b'/imm'), [200], CLOSED),
    ('HTTP/1.0 kept alive', get(b'Connection: keep-alive\r\n', version=b'HTTP/1.0', target=b'/imm'),
     [200], OPEN),
    ('HTTP/1.0 stream ends by close', get(version=b'HTTP/1.0', target=b'/stream?n=100000'), [200],
     CLOSED),
    ('upgrade is not taken', get(b'Upgrade: websocket\r\nConnection: Upgrade\r\n'), [200], OPEN),
    ('expect 100-continue', post(b'Expect: 100-continue\r\nContent-Length: 5\r\n', b'hello'), [200],
     OPEN, 'body=hello'),
    ('empty header value', get(b'X-A:\r\n'), [200], OPEN, 'header X-A=\n'),
    ('header value is trimmed', get(b'X-A: \t b c \t\r\n'), [200], OPEN, 'header X-A=b c\n'),
    ('header of 4 KiB', get(b'X-A: ' + b'a' * 4096 + b'\r\n'), [200], OPEN),
    ('header of 8 KiB', get(b'X-A: ' + b'a' * 8192 + b'\r\n'), [200], OPEN),
    ('header of 14 KiB', get(b'X-A: ' + b'a' * 14336 + b'\r\n'), [200], OPEN),
    ('header of 20 KiB', get(b'X-A: ' + b'a' * 20000 + b'\r\n'), [200], OPEN),
    ('header of 28 KiB', get(b'X-A: ' + b'a' * 28000 + b'\r\n', target=b'/imm'), [200], OPEN),
    ('99 more headers', get(b''.join(b'X-%d: y\r\n' % i for i in range(99))), [200], OPEN),
    ('target of 20 KiB', get(target=b'/imm?' + b'a' * 20000), [200], OPEN),
    ('10,000 empty parameters', get(target=b'/imm?' + b'&' * 10000), [200], OPEN),
    ('unwanted body is skipped', post(b'Content-Length: 5\r\n', b'hello', target=b'/refuse'), [401],
     OPEN),
    ('no body where none is wanted', post(b'', target=b'/nobody'), [200], OPEN),
    # -- what must be refused --------------------------------------------------------------------
    ('bare LF everywhere', b'GET /echo HTTP/1.1\nHost: x\n\n', [400], CLOSED),
    ('bare LF after the request line', b'GET /echo HTTP/1.1\nHost: x\r\n\r\n', [400], CLOSED),
    ('bare LF after one header', b'GET /echo HTTP/1.1\r\nHost: x\r\nX-B: y\n\r\n', [400], CLOSED),
    ('bare CR in a value', get(b'X-B: a\rb\r\n'), [400], CLOSED),
    ('no Host', get(host=b''), [400], CLOSED),
    ('empty Host', get(host=b'Host:\r\n'), [400], CLOSED),
    ('two Hosts', get(b'Host: y\r\n'), [400], CLOSED),
    ('Host with a path', get(host=b'Host: x/y\r\n'), [400], CLOSED),
    ('same length twice', post(b'Content-Length: 5\r\n' * 2, b'hello'), [400], CLOSED),
    ('two lengths', post(b'Content-Length: 5\r\nContent-Length: 6\r\n', b'hello!'), [400], CLOSED),
    ('list of lengths', post(b'Content-Length: 5, 5\r\n', b'hello'), [400], CLOSED),
    ('length with a plus', post(b'Content-Length: +5\r\n', b'hello'), [400], CLOSED),
    ('negative length', post(b'Content-Length: -5\r\n', b'hello'), [400], CLOSED),
    ('length with a letter', post(b'Content-Length: 5x\r\n', b'hello'), [400], CLOSED),
    ('hexadecimal length', post(b'Content-Length: 0x5\r\n', b'hello'), [400], CLOSED),
    ('empty length', post(b'Content-Length: \r\n'), [400], CLOSED),
    ('length of 23 digits', post(b'Content-Length: 99999999999999999999999\r\n'), [400], CLOSED),
    ('length and chunked', post(b'Content-Length: 6\r\n' + CHUNKED, b'0\r\n\r\nX'), [400], CLOSED),
    ('chunked and length', post(CHUNKED + b'Content-Length: 3\r\n', HELLO), [400], CLOSED),
    ('unknown coding', post(b'Transfer-Encoding: xchunked\r\n', HELLO), [400], CLOSED),
    ('coding before chunked', post(b'Transfer-Encoding: gzip, chunked\r\n', HELLO), [501], CLOSED),
    ('coding after chunked', post(b'Transfer-Encoding: chunked, gzip\r\n', HELLO), [400], CLOSED),
    ('identity coding', post(b'Transfer-Encoding: identity\r\nContent-Length: 5\r\n', b'hello'),
     [400], CLOSED),
    ('two codings', post(CHUNKED + b'Transfer-Encoding: identity\r\n', HELLO), [400], CLOSED),
    ('chunked twice', post(CHUNKED * 2, HELLO), [400], CLOSED),
    ('chunked in HTTP/1.0', post(CHUNKED, HELLO, version=b'HTTP/1.0'), [400], CLOSED),
    ('chunk lines with bare LF', post(CHUNKED, b'5\nhello\n0\n\n'), [400], CLOSED),
    ('chunk size 0x5', post(CHUNKED, b'0x5\r\nhello\r\n0\r\n\r\n'), [400], CLOSED),
    ('chunk size too large', post(CHUNKED, b'fffffffffffffffff\r\nhello\r\n0\r\n\r\n'), [400], CLOSED),
    ('chunk longer than its size', post(CHUNKED, b'4\r\nhello\r\n0\r\n\r\n'), [400], CLOSED),
    ('folded header', get(b'X-A: a\r\n  b\r\n'), [400], CLOSED),
    ('space before the colon', get(b'X-A : a\r\n'), [400], CLOSED),
    ('space before the colon of a length', post(b'Content-Length : 5\r\n', b'hello'), [400], CLOSED),
    ('space before the first header', get(host=b' Host: x\r\n'), [400], CLOSED),
    ('header without a colon', get(b'foo\r\n'), [400], CLOSED),
    ('header without a name', get(b': foo\r\n'), [400], CLOSED),
    ('parenthesis in a name', get(b'X(A: foo\r\n'), [400], CLOSED),
    ('NUL in a value', get(b'X-A: a\0b\r\n'), [400], CLOSED),
    ('NUL in the target', get(target=b'/ec\0ho'), [400], CLOSED),
    ('space in the target', get(target=b'/ec ho'), [400], CLOSED),
    ('fragment in the target', get(target=b'/echo#a'), [400], CLOSED),
    ('target without a slash', get(target=b'echo'), [400], CLOSED),
    ('asterisk for GET', get(target=b'*'), [400], CLOSED),
    ('two spaces', b'GET  /echo HTTP/1.1\r\n' + H + b'\r\n', [400], CLOSED),
    ('tabs between the parts', b'GET\t/echo\tHTTP/1.1\r\n' + H + b'\r\n', [400], CLOSED),
    ('many empty lines first', b'\r\n' * 20 + get(), [400], CLOSED),
    ('HTTP/2.0', get(version=b'HTTP/2.0'), [505], CLOSED),
    ('HTTP/2 preface', b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [505], CLOSED),
    ('HTTP/1.2', get(version=b'HTTP/1.2'), [505], CLOSED),
    ('HTTP/0.9', b'GET /echo\r\n\r\n', [400], CLOSED),
    ('lower case protocol', get(version=b'http/1.1'), [400], CLOSED),
    ('unknown method', get(method=b'BREW'), [501], CLOSED),
    ('CONNECT', get(method=b'CONNECT', target=b'x:80'), [501], CLOSED),
    ('unknown expectation', post(b'Expect: foo\r\nContent-Length: 5\r\n', b'hello'), [417], CLOSED),
    ('header of 40 KiB', get(b'X-A: ' + b'a' * 40000 + b'\r\n'), [431], CLOSED),
    ('200 headers', get(b''.join(b'X-%d: y\r\n' % i for i in range(200))), [431], CLOSED),
    ('target of 40 KiB', get(target=b'/imm?' + b'a' * 40000), [414], CLOSED),
    ('TLS hello on a plain port', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'a' * 100, [400],
     CLOSED),
    ('announced body over the cap', post(b'Content-Length: 99999999\r\n'), [413], CLOSED),
    ('chunked body over the cap', post(CHUNKED, b'200000\r\n' + b'a' * 0x200000 + b'\r\n0\r\n\r\n'),
     [413], CLOSED),
    ('body where none is wanted', post(b'Content-Length: 5\r\n', b'hello', target=b'/nobody'), [413],
     CLOSED),
    ('refused upload with expect', post(b'Expect: 100-continue\r\nContent-Length: 5\r\n',
                                        target=b'/refuse'), [401], CLOSED),
    ('good one, then a bad one', get() + b'BAD\r\n\r\n', [200, 400], CLOSED),
    ('header that would split the answer', get(target=b'/bad'), [500], OPEN),
]


def run_case(connection, case):
    name, raw, statuses, after = case[:4]
    methods = [b'HEAD' if raw.startswith(b'HEAD') else b'GET'] * len(statuses)
    connection.send(raw)
    answers = [connection.answer(m) for m in methods]
    got = [a.status for a in answers if a]
    if got != statuses:
        return 'answered %s, not %s' % (got, statuses)
    if len(case) > 4 and case[4].encode() not in answers[-1].body:
        return 'the answer lacks %r: %r' % (case[4], answers[-1].body[:200])
    if after == CLOSED:
        return None if connection.ended() else 'the connection is still open'
    connection.send(PROBE)
    probe = connection.answer(b'GET')
    return None if probe and probe.status == 200 else 'the connection is closed'


def main():
    with Server(sys.argv[1:], tls=True) as server:
        for tls in (False, True):
            for case in CASES:
                if tls and (case[0].startswith('TLS') or len(case[1]) > 100000):
                    continue
                for step in (0, 7):  # at once, and in pieces of seven bytes
                    if step and len(case[1]) > 1000:
                        continue
                    with Connection(server, tls=tls, step=step) as connection:
                        why = run_case(connection, case)
                    report('%s%s: %s' % (case[0], ' in pieces' if step else '', 'TLS' if tls else 'plain'), why)
        report('the server ends in order', server.stop())
    return report.done()


if __name__ == '__main__':
    sys.exit(main())
