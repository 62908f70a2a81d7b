# SPDX-License-Identifier: Apache-2.0
"""The test server as a process, raw connections to it, and a count of what passed."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile

PATIENCE_S = 60  # for a server that hangs; no test depends on it


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, name, why=None):
        if why:
            self.failed += 1
            print('not ok - %s: %s' % (name, why), flush=True)
        else:
            self.passed += 1

    def done(self):
        print('%d passed, %d failed' % (self.passed, self.failed), flush=True)
        return 1 if self.failed or not self.passed else 0


report = Report()


def certificates(folder):
    """A CA, a server certificate and a client certificate, as PEM files; None without openssl."""
    if not shutil.which('openssl'):
        return None

    def run(*args):
        subprocess.run(('openssl',) + args, cwd=folder, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    ec = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes')
    run('req', '-x509', *ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=test-ca',
        '-addext', 'keyUsage=critical,keyCertSign')
    for name, subject in (('server', '/CN=localhost'), ('client', '/CN=test-client')):
        run('req', *ec, '-keyout', name + '.key', '-out', name + '.csr', '-subj', subject)
        with open(os.path.join(folder, 'ext'), 'w') as f:
            f.write('subjectAltName=DNS:localhost,IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n')
        run('x509', '-req', '-in', name + '.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial',
            '-out', name + '.pem', '-days', '2', '-extfile', 'ext')
    return folder


class Server:
    def __init__(self, command, tls=False, options=()):
        self.folder = tempfile.mkdtemp()
        self.has_tls = bool(tls and certificates(self.folder))
        args = list(command) + list(options)
        if self.has_tls:
            args += ['--cert', self.path('server.pem'), '--key', self.path('server.key')]
        # Sanitizers keep freed memory: a little of it is enough.
        env = dict(os.environ, ASAN_OPTIONS='quarantine_size_mb=4')
        self.process = subprocess.Popen(args, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = self.read_port()
        self.tls_port = self.read_port() if self.has_tls else None

    def path(self, name):
        return os.path.join(self.folder, name)

    def read_port(self):
        return int(self.process.stdout.readline().split()[1])

    def counters(self):
        with Connection(self) as c:
            c.send(b'GET /counters HTTP/1.1\r\nHost: x\r\n\r\n')
            text = c.answer(b'GET').body.decode()
        return {k: int(v) for k, v in (line.rsplit(' ', 1) for line in text.splitlines())}

    def rss_kb(self):
        with open('/proc/%d/status' % self.process.pid) as f:
            return int(re.search(r'VmRSS:\s+(\d+)', f.read()).group(1))

    def stop(self):
        """Lets the server end by itself; None when it did so in order."""
        self.process.stdin.close()
        out = self.process.stdout.read()
        code = self.process.wait(PATIENCE_S)
        return None if code == 0 and b'stopped' in out else 'exit %s, %r' % (code, out)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Connection:
    def __init__(self, server, tls=False, step=0, source=None, buffer=0, client=False):
        self.step, self.data, self.eof = step, b'', False
        self.sock = socket.socket()
        if buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(PATIENCE_S)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(('127.0.0.1', server.tls_port if tls else server.port))
        if tls:
            context = ssl.create_default_context(cafile=server.path('ca.pem'))
            if client:
                context.load_cert_chain(server.path('client.pem'), server.path('client.key'))
            self.sock = context.wrap_socket(self.sock, server_hostname='localhost')

    def send(self, raw):
        """A server that refuses early may close before everything is sent: that is no failure."""
        try:
            for i in range(0, len(raw), self.step or len(raw)):
                self.sock.sendall(raw[i:i + self.step] if self.step else raw)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass

    def more(self):
        try:
            data = b'' if self.eof else self.sock.recv(1 << 16)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b''
        self.eof = not data
        self.data += data
        return bool(data)

    def until(self, text):
        while text not in self.data:
            if not self.more():
                return None
        piece, self.data = self.data.split(text, 1)
        return piece

    def exactly(self, n):
        while len(self.data) < n and self.more():
            pass
        piece, self.data = self.data[:n], self.data[n:]
        return piece

    def chunked(self):
        body = b''
        while True:
            size = self.until(b'\r\n')
            if size is None:
                return None
            n = int(size, 16)
            body += self.exactly(n)
            self.exactly(2)
            if n == 0:
                return body

    def head(self):
        head = self.until(b'\r\n\r\n')
        if head is None:
            return None
        lines = head.split(b'\r\n')
        headers = {k.lower(): v for k, v in (line.split(b': ', 1) for line in lines[1:])}
        return Answer(int(lines[0].split()[1]), headers, b'')

    def answer(self, method):
        a = self.head()
        while a and a.status == 100:
            a = self.head()
        if a is None or method == b'HEAD':
            return a
        if b'content-length' in a.headers:
            a.body = self.exactly(int(a.headers[b'content-length']))
        elif b'transfer-encoding' in a.headers:
            a.body = self.chunked()
        else:
            while self.more():
                pass
            a.body, self.data = self.data, b''
        return a

    def ended(self):
        """True when nothing more comes and the server closed its side."""
        return self.data == b'' and not self.more()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()
