#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS of the listen addresses (--web.config.file) and of scrapes."""
import contextlib
import http.client
import os
import signal
import ssl
import subprocess
import tempfile

from harness import NUNCHI, Server, free_port, http as request, main, need, test, wait_for


class Authority:
    """A certificate authority in a folder, by the openssl command."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.file = self.path(".crt")
        self.openssl("req", "-x509", *self.new_key(self.path(".key")), "-days", "2",
                     "-subj", f"/CN={name}", "-out", self.file,
                     "-addext", "keyUsage=critical,keyCertSign")

    def path(self, end):
        return os.path.join(self.directory, self.name + end)

    @staticmethod
    def new_key(path):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path)

    @staticmethod
    def openssl(*args):
        subprocess.run([need("openssl"), *args], check=True, capture_output=True,
                       stdin=subprocess.DEVNULL)

    def issue(self, name, into=None):
        """NAME.crt and NAME.key of a certificate for that name and 127.0.0.1."""
        into = into or name
        base = os.path.join(self.directory, into)
        with open(base + ".ext", "w", encoding="ascii") as f:
            f.write(f"subjectAltName=DNS:{name},IP:127.0.0.1\n"
                    "authorityKeyIdentifier=keyid\n")
        self.openssl("req", "-new", *self.new_key(base + ".key"), "-subj", f"/CN={name}",
                     "-out", base + ".csr")
        self.openssl("x509", "-req", "-in", base + ".csr", "-CA", self.file, "-CAkey",
                     self.path(".key"), "-CAcreateserial", "-days", "2", "-extfile", base + ".ext",
                     "-out", base + ".crt")
        return base + ".crt", base + ".key"

    def trusted(self, client=None):
        """What a client of servers of this authority uses; `client`: its certificate and key."""
        context = ssl.create_default_context(cafile=self.file)
        if client:
            context.load_cert_chain(*client)
        return context


@contextlib.contextmanager
def place():
    with tempfile.TemporaryDirectory() as directory:
        authority = Authority(directory, "authority")
        authority.issue("watcher.example", "server")
        yield directory, authority


MUTUAL = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: authority.crt\n"


def write_web(directory, extra="", name="web.yml"):
    return write(directory, name,
                 "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n" + extra)


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def refused(url, context=None):
    """The connection breaks before there is an answer."""
    try:
        reply = request(url, context=context)
    except (OSError, http.client.HTTPException):
        return True
    raise AssertionError(f"{url} answered {reply.status}")


def number_of(connection):
    """The serial number of the certificate that a new connection gets."""
    with contextlib.closing(connection):
        connection.connect()
        return connection.sock.getpeercert()["serialNumber"]


def run(*args):
    return subprocess.run([NUNCHI, *args], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)


@test
def pages_and_api_over_tls_and_nothing_without():
    with place() as (directory, authority):
        web = write_web(directory)
        with Server(f"--web.config.file={web}", "--web.enable-lifecycle",
                    context=authority.trusted()) as s:
            assert s.get("/").status in (200, 404)  # 404: built without the UI
            assert s.query("1 + 1") == 2.0
            assert f"https://127.0.0.1:{s.port}/" in s.output()
            assert refused(f"http://127.0.0.1:{s.port}/-/ready")
            assert refused(s.url + "/-/ready", ssl.create_default_context())
            own = f"https://127.0.0.1:{s.port}"
            assert s.post("/-/reload", headers={"Origin": own}).status == 200
            foreign = own.replace("https", "http")
            assert s.post("/-/reload", headers={"Origin": foreign}).status == 403


@test
def the_oldest_version_is_kept():
    with place() as (directory, authority):
        web = write_web(directory, "  min_version: TLS13\n")
        old = authority.trusted()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with Server(f"--web.config.file={web}", context=authority.trusted()) as s:
            assert refused(s.url + "/-/ready", old)
        write_web(directory)
        with Server(f"--web.config.file={web}", context=old) as s:
            assert s.get("/-/ready").status == 200


@test
def client_certificates_are_demanded_and_checked():
    with place() as (directory, authority):
        web = write_web(directory, MUTUAL)
        client = authority.issue("client")
        stranger = Authority(directory, "stranger").issue("client", "impostor")
        with Server(f"--web.config.file={web}", context=authority.trusted(client)) as s:
            assert s.query("1 + 1") == 2.0
            assert refused(s.url + "/-/ready", authority.trusted())
            assert refused(s.url + "/-/ready", authority.trusted(stranger))
        write_web(directory, MUTUAL.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven"))
        with Server(f"--web.config.file={web}", context=authority.trusted()) as s:
            assert request(s.url + "/-/ready", context=authority.trusted(client)).status == 200
            assert refused(s.url + "/-/ready", authority.trusted(stranger))


@test
def client_certificates_protect_an_open_address():
    with place() as (directory, authority):
        client = authority.issue("client")
        web, port = write_web(directory), free_port()
        listen = f"--web.listen-address=0.0.0.0:{port}"
        done = run("server", f"--storage.path={directory}/data", listen, f"--web.config.file={web}")
        assert done.returncode == 1 and "--insecure" in done.stderr, done
        write_web(directory, MUTUAL)
        with Server(f"--web.config.file={web}", listen, "--web.enable-lifecycle",
                    context=authority.trusted(client)) as s:
            assert request(f"https://127.0.0.1:{port}/-/ready",
                           context=s.context).status == 200
            write_web(directory)  # a reload must not open what needed --insecure
            reply = s.post("/-/reload")
            assert reply.status == 400 and "--insecure" in reply.text, reply.text
            assert refused(s.url + "/-/ready", authority.trusted())


@test
def a_reload_brings_new_certificates_and_drops_no_connection():
    with place() as (directory, authority):
        web = write_web(directory)
        with Server(f"--web.config.file={web}", "--web.enable-lifecycle",
                    context=authority.trusted()) as s:
            def new():
                return http.client.HTTPSConnection("127.0.0.1", s.port, context=s.context,
                                                   timeout=60)

            def ask(connection):
                connection.request("GET", "/-/ready")
                reply = connection.getresponse()
                reply.read()
                return reply.status

            first = number_of(new())
            old = new()
            assert ask(old) == 200
            socket = old.sock
            authority.issue("watcher.example", "server")
            assert number_of(new()) == first
            assert s.post("/-/reload").status == 200
            second = number_of(new())
            assert second != first
            assert ask(old) == 200 and old.sock is socket
            authority.issue("watcher.example", "server")
            s.process.send_signal(signal.SIGHUP)
            wait_for("the third certificate", lambda: number_of(new()) not in (first, second))
            third = number_of(new())
            write(directory, "server.key", "no key\n")
            reply = s.post("/-/reload")
            assert reply.status == 400, reply.text
            assert f"{web}:3:13: error: cannot use key file {directory}/server.key" in reply.text
            assert number_of(new()) == third and ask(old) == 200
            write(directory, "web.yml", "")
            reply = s.post("/-/reload")
            assert reply.status == 400 and "switches TLS off" in reply.text, reply.text
            assert number_of(new()) == third and old.sock is socket
            old.close()


@test
def files_that_cannot_be_used_are_located():
    with place() as (directory, authority):
        web = write_web(directory, MUTUAL)
        good = {name: open(os.path.join(directory, name), encoding="ascii").read()
                for name in ("server.crt", "server.key", "authority.crt")}
        other = open(authority.issue("other")[1], encoding="ascii").read()
        cases = (("server.crt", "junk\n", ":2:14:", "certificate file"),
                 ("server.crt", None, ":2:14:", "No such file"),
                 ("server.key", "junk\n", ":3:13:", "key file"),
                 ("server.key", None, ":3:13:", "No such file"),
                 ("server.key", other, ":3:13:", "mismatch"),
                 ("authority.crt", "junk\n", ":5:19:", "client CA file"),
                 ("authority.crt", None, ":5:19:", "No such file"))
        assert run("check", "config", web).returncode == 0
        for name, text, place_of, words in cases:
            path = os.path.join(directory, name)
            if text is None:
                os.unlink(path)
            else:
                write(directory, name, text)
            for done in (run("check", "config", web), run("check", "config", "--kind=web", web),
                         run("server", f"--web.config.file={web}", f"--storage.path={directory}/d")):
                assert done.returncode == 1, (name, text, done)
                assert web + place_of + " error:" in done.stderr, (name, text, done.stderr)
                assert words in done.stderr and "^" in done.stderr, (name, text, done.stderr)
            write(directory, name, good[name])
        assert run("check", "config", web).returncode == 0


@test
def logins_are_refused_and_their_hashes_not_shown():
    with tempfile.TemporaryDirectory() as directory:
        web = write(directory, "web.yml", "basic_auth_users: {admin: $2y$10$CANARY}\n")
        for done in (run("check", "config", web),
                     run("server", f"--web.config.file={web}", f"--storage.path={directory}/d")):
            assert done.returncode == 1 and f"{web}:1:1: error:" in done.stderr, done
            assert "CANARY" not in done.stderr + done.stdout, done


@test
def a_server_is_scraped_over_tls():
    with place() as (directory, authority):
        authority.issue("client")
        Authority(directory, "stranger").issue("client", "impostor")
        web = write_web(directory, MUTUAL)
        client = os.path.join(directory, "client")
        with Server(f"--web.config.file={web}", "--no-watch.host",
                    context=authority.trusted((client + ".crt", client + ".key"))) as scraped:
            jobs = {
                "good": "ca_file: authority.crt, server_name: watcher.example, " + keys("client"),
                "by_address": "ca_file: authority.crt, " + keys("client"),
                "unverified": "insecure_skip_verify: true, " + keys("client"),
                "wrong_authority": "ca_file: stranger.crt, " + keys("client"),
                "wrong_name": "ca_file: authority.crt, server_name: other.example, "
                              + keys("client"),
                "no_certificate": "ca_file: authority.crt",
                "impostor": "ca_file: authority.crt, " + keys("impostor"),
            }
            config = write(directory, "prometheus.yml", "scrape_configs:\n" + "".join(
                f"- job_name: {name}\n  scheme: https\n  scrape_interval: 500ms\n"
                f"  tls_config: {{{tls}}}\n  static_configs: [{{targets: "
                f"['127.0.0.1:{scraped.port}']}}]\n" for name, tls in jobs.items()))
            with Server(f"--config.file={config}") as s:
                def all_done():
                    targets = s.get("/api/v1/targets").json["data"]["activeTargets"]
                    return {t["labels"]["job"]: t for t in targets
                            if t["health"] != "unknown"} if len(targets) == len(jobs) else {}

                wait_for("a scrape of each", lambda: len(all_done()) == len(jobs))
                targets = all_done()
                for name in ("good", "by_address", "unverified"):
                    assert targets[name]["health"] == "up", targets[name]
                    wait_for("samples", lambda n=name: s.query(
                        f'nunchi_build_info{{job="{n}"}} or process_start_time_seconds{{job="{n}"}}'))
                for name, words in (("wrong_authority", "certificate"), ("wrong_name", "name"),
                                    ("no_certificate", "certificate"), ("impostor", "unknown ca")):
                    target = targets[name]
                    assert target["health"] == "down", target
                    assert words in target["lastError"], (name, target["lastError"])
                    wait_for("up", lambda n=name: s.query(f'up{{job="{n}"}} == 0'))
                    print(f"# {name}: {target['lastError']}")


def keys(name):
    return f"cert_file: {name}.crt, key_file: {name}.key"


main()
