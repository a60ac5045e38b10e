"""Bytes from strangers and from broken peers, at every listener of a cluster with a running job.

That connection ends, in time; nobody else notices: the job keeps running in the same processes and
WordCount still counts.
"""

import hashlib
import os
import socket
import struct
import subprocess
import time

import harness
import protocol
import system
from protocol import Connection, frame

HANDSHAKE_S = 3.0 if harness.SANITIZED else 1.0  # also for those who are well
CLIENT_HELLO_OF_TLS = bytes.fromhex("16030100c8010000c40303") + bytes(range(200))
HTTP = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8\r\n\r\n"


def header(**lies):
    return frame(protocol.HELLO, b"", **lies)


# What a stranger may send. Each connection must be closed by the other side.
STRANGERS = {
    "TLS": CLIENT_HELLO_OF_TLS,
    "HTTP": HTTP,
    "noise": bytes((i * 37 + 11) % 251 for i in range(100000)),
    "zeros": bytes(5000),
    "text": b"hello\n" * 1000,
    "wrong magic": header(magic=b"GPF2"),
    "wrong version": header(version=9),
    "unknown flags": header(flags=0xF9),
    "wrong checksum": frame(protocol.HELLO, Connection.hello(), crc=0),
    "length of 4 GiB": header(length=0xFFFFFFFF, flags=0),
    "length above the greeting's": header(length=5000, flags=0) + bytes(5000),
    "empty hello": frame(protocol.HELLO, b""),
    "hello that is no JSON": frame(protocol.HELLO, b"{{{{"),
    "hello that is an array": frame(protocol.HELLO, b"[1,2,3]"),
    "hello nested deep": frame(protocol.HELLO, b"[" * 2000 + b"]" * 2000),
    "hello with NUL": frame(protocol.HELLO, b'{"name":"\\u0000"}'),
    "hello without fields": frame(protocol.HELLO, {}),
    "hello of another protocol": frame(protocol.HELLO, Connection.hello(proto_min=7, proto_max=9)),
    "hello of an unknown role": frame(protocol.HELLO, Connection.hello(role="king")),
    "hello with an unknown key": frame(protocol.HELLO, Connection.hello(key="app/77")),
    "hello with a short nonce": frame(protocol.HELLO, Connection.hello(nonce="00")),
    "hello in a lie of a name": frame(protocol.HELLO, Connection.hello(name="worker/../../etc")),
    "proof before hello": frame(protocol.PROOF, {"mac": "00" * 32}),
    "proof that is wrong": frame(protocol.HELLO, Connection.hello()) + frame(protocol.PROOF, {"mac": "00" * 32}),
    "proof that is no hex": frame(protocol.HELLO, Connection.hello()) + frame(protocol.PROOF, {"mac": "zz"}),
    "hello twice": frame(protocol.HELLO, Connection.hello()) * 2,
    "order before hello": frame(protocol.CLUSTER_INFO, {}, kind=protocol.ASK, correlation=1),
    "order instead of proof": frame(protocol.HELLO, Connection.hello())
                              + frame(protocol.CLUSTER_INFO, {}, kind=protocol.ASK, correlation=1),
    "batch before hello": frame(protocol.BATCH, bytes(1000)),
    "credit before hello": frame(protocol.CREDIT, bytes(16)),
}
# What ends in the middle: the other side hangs up after the last byte.
TRUNCATED = {
    "nothing": b"",
    "half a header": header()[:16],
    "a header and no payload": header(length=100, flags=0),
    "half a hello": frame(protocol.HELLO, Connection.hello())[:100],
}


class Attack(harness.Case):
    def setUp(self):
        super().setUp()
        self.cluster = self.local(workers=2, env={
            "GEARPUMP_LIMITS__HANDSHAKE_TIMEOUT": f"{int(HANDSHAKE_S * 1000)}ms", "GEARPUMP_DATA__EDGE": "tcp"})
        app = self.cluster.submit(self.plugin("ticker"), "--executors", "2", "--parallelism", "ticks=2",
                                  "--parallelism", "sink=2")
        self.cluster.wait_for_state(app, "running")
        self.before = self.processes()

    def tearDown(self):
        if self.cluster.daemon.process.poll() is None:
            self.assertEqual(self.before, self.processes())
            described = self.cluster.json("describe", "ticker")
            self.assertEqual("running", described["application"]["state"])
            seen = sum(e["messages"] for e in described["edges"])
            system.wait_until(lambda: sum(e["messages"] for e in self.cluster.json("describe", "ticker")["edges"]) > seen,
                              "the job goes on", 10 * harness.SLOWNESS, pause_s=0.1)
            self.cluster.is_healthy()
        super().tearDown()

    def processes(self):
        return {role: {p.pid for p in self.cluster.children(role)} for role in ("appmaster", "executor")}

    def listeners(self):
        """(what, address) of every socket that any process of the cluster listens on for its kind: what HTTP is told
        is tested elsewhere."""
        daemon = self.cluster.daemon.pid
        pages = int(self.cluster.daemon.ready()["http"].rpartition(":")[2])
        everyone = [("daemon", daemon)] + [(p.command[1], p.pid) for p in self.cluster.daemon.children()]
        found = []
        for what, pid in everyone:
            found += [(what, address) for address in system.tcp_listeners(pid) if address[1] != pages]
            found += [(what, path) for path in system.unix_listeners(pid)]
        # Master and workers in the daemon; each other process has one at least.
        self.assertLessEqual(3, sum(what == "daemon" for what, _ in found), found)
        self.assertLessEqual(1, sum(what == "appmaster" for what, _ in found), found)
        self.assertLessEqual(2, sum(what == "executor" for what, _ in found), found)
        return found

    def connect(self, address):
        return Connection(address, timeout_s=HANDSHAKE_S * 5 * harness.SLOWNESS)


class Strangers(Attack):
    """Peers that have not proven anything."""

    def test_strangers(self):
        for what, address in self.listeners():
            for name, data in STRANGERS.items():
                with self.subTest(listener=what, address=address, sent=name), self.connect(address) as peer:
                    peer.send(data)
                    answer = peer.read_to_end()
                    # Frames or nothing: never noise, never an answer to an order.
                    self.assertIn(answer[:4], (b"", protocol.MAGIC))
                    self.assertNotIn(b'"masters"', answer)
                    self.assertNotIn(b'"term"', answer)

    def test_truncated(self):
        for what, address in self.listeners():
            for name, data in TRUNCATED.items():
                with self.subTest(listener=what, address=address, sent=name), self.connect(address) as peer:
                    peer.send(data)
                    peer.half_close()
                    peer.read_to_end()

    def test_silence_ends_with_the_time_for_a_handshake(self):
        for what, address in self.listeners():
            for name, data in TRUNCATED.items():
                with self.subTest(listener=what, address=address, sent=name), self.connect(address) as peer:
                    begin_s = time.monotonic()
                    peer.send(data)
                    peer.read_to_end()
                    self.assertLess(time.monotonic() - begin_s, HANDSHAKE_S * 3 * harness.SLOWNESS)
            break  # one listener: they are the same code, and each costs seconds

    def test_one_byte_at_a_time(self):
        """A greeting in pieces is a greeting; a trickle is cut off all the same."""
        for what, address in self.listeners()[:1]:
            with self.connect(address) as peer:
                begin_s = time.monotonic()
                while time.monotonic() - begin_s < HANDSHAKE_S * 3 * harness.SLOWNESS:
                    peer.socket.settimeout(0.05)
                    try:
                        peer.socket.sendall(b"G" if time.monotonic() == begin_s else b"P")
                        if peer.socket.recv(1) == b"":
                            break
                    except socket.timeout:
                        continue
                    except (BrokenPipeError, ConnectionResetError):
                        break
                else:
                    self.fail(f"{what} listens to a trickle for ever")

    def test_a_crowd_of_strangers(self):
        for what, address in self.listeners():
            with self.subTest(listener=what, address=address):
                crowd = [self.connect(address) for _ in range(200)]
                try:
                    self.ok(self.cluster.gpctl("list"))
                finally:
                    for peer in crowd:
                        peer.socket.close()

    def test_aborted_connections(self):
        for what, address in self.listeners():
            if isinstance(address, str):
                continue
            for _ in range(50):
                peer = self.connect(address)
                peer.send(frame(protocol.HELLO, Connection.hello())[:60])
                # RST instead of FIN.
                peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.socket.close()


class TrustedPeers(Attack):
    """Peers that know the secret and yet send what they must not."""

    def trusted(self, address=None, **hello):
        with open(self.secret, "rb") as file:
            secret = file.read().strip()
        if address is None:
            host, _, port = self.cluster.master.rpartition(":")
            address = (host, int(port))
        peer = self.connect(address)
        peer.greet(secret, **hello)
        return peer

    def test_a_good_client(self):
        with self.trusted() as peer:
            answer = peer.ask(protocol.CLUSTER_INFO, {})
            self.assertEqual((protocol.REPLY, 1), (answer.kind, answer.correlation))
            self.assertEqual(self.cluster.master, answer.json["masters"][0]["address"])
            peer.send(frame(protocol.PING))
            self.assertEqual(protocol.PONG, peer.receive().type)

    def test_an_order_that_cannot_be_read_is_answered_with_an_error(self):
        with self.trusted() as peer:
            for payload in (b"", b"{", b"[]", b"7", b'{"app":7}', b'{"app":""}', b'{"app":"' + b"x" * 5000 + b'"}',
                            b"[" * 5000, b'{"app":"a","app":"b"'):
                with self.subTest(payload=payload[:20]):
                    try:
                        answer = peer.ask(protocol.APP_DESCRIBE, payload)
                    except (EOFError, ConnectionResetError):
                        peer = self.trusted()  # to hang up is an answer, too
                        continue
                    self.assertIn(answer.type, (protocol.APP_DESCRIBE, protocol.CLOSE))
                    self.assertEqual(protocol.ERROR, answer.kind)
                    self.assertLess(answer.json["code"], 0)

    def test_unknown_and_forbidden_types(self):
        for number in (6, 255, 256 + 99, 512, 514, 515, 768, 1024, 65535):
            with self.subTest(type=number), self.trusted() as peer:
                try:
                    answer = peer.ask(number, {})
                except (EOFError, ConnectionResetError):
                    continue
                self.assertEqual(protocol.ERROR, answer.kind)

    def test_frames_that_end_the_connection(self):
        for name, data in (("data on a control connection", frame(protocol.BATCH, bytes(100))),
                           ("raft without a group", frame(protocol.RAFT, bytes(100))),
                           ("above the control limit", frame(protocol.APP_DESCRIBE, b"", length=(1 << 20) + 1, flags=0)),
                           ("4 GiB", frame(protocol.APP_DESCRIBE, b"", length=0xFFFFFFFF, flags=0)),
                           ("wrong checksum", frame(protocol.APP_DESCRIBE, {"app": "x"}, crc=1)),
                           ("noise", bytes(range(256)) * 100)):
            with self.subTest(sent=name), self.trusted() as peer:
                peer.send(data)
                peer.read_to_end()

    def test_answers_to_nothing(self):
        with self.trusted() as peer:
            for kind in (protocol.REPLY, protocol.ERROR):
                peer.send(frame(protocol.CLUSTER_INFO, {"code": -1}, kind=kind, correlation=12345))
            try:
                peer.ask(protocol.CLUSTER_INFO, {})
            except (EOFError, ConnectionResetError):
                pass

    def test_roles_cannot_be_claimed(self):
        """The cluster's secret does not speak for applications, nor a client for a worker."""
        for role, name in (("executor", "app/1/executor/1"), ("appmaster", "app/1"), ("lane", "app/1/executor/1/lane/0"),
                           ("client", "worker/1"), ("worker", "client")):
            with self.subTest(role=role, name=name), self.assertRaises((EOFError, ConnectionResetError)):
                self.trusted(role=role, name=name).socket.close()

    def test_appmasters_and_executors_do_not_know_the_cluster_secret(self):
        for what, address in self.listeners():
            if what != "daemon":
                with self.subTest(listener=what), self.assertRaises((EOFError, ConnectionResetError)):
                    self.trusted(address).socket.close()

    def test_a_worker_that_lies(self):
        """It registers with nonsense, or well and then vanishes."""
        worker = {"name": "liar", "address": "127.0.0.1:1", "host": "h", "pid": 1, "cpus": 1, "slots": 4000000000,
                  "version": "0"}
        with self.trusted(role="worker", name="worker/0") as peer:
            for lie in ({}, {"name": "x" * 999}, {"slots": -1}, {"slots": "many"}, {"address": ""}):
                answer = peer.ask(512, {**worker, **lie} if lie else {})
                if not lie:
                    self.assertEqual(protocol.ERROR, answer.kind)
        system.wait_until(lambda: len(self.cluster.json("workers")["workers"]) == 2, "the liar is forgotten",
                          10 * harness.SLOWNESS, pause_s=0.1)

    def test_an_upload_that_stops(self):
        offer = {"sha256": "ab" * 32, "size": "1000000", "request_id": "r1"}
        for _ in range(40):  # more than there are places for uploads
            with self.trusted() as peer:
                peer.ask(262, offer)
                peer.send(frame(263, bytes(5000), kind=protocol.ASK, correlation=2))
        self.nothing_came_in()

    def nothing_came_in(self):
        folder = self.path("data-0/master/incoming")
        system.wait_until(lambda: not os.listdir(folder), f"{folder} is empty", 10 * harness.SLOWNESS, pause_s=0.05)

    def test_uploads_that_are_not_what_was_announced(self):
        """Told at once, and nothing of them stays: the file cannot be submitted."""
        body = os.urandom(300000)
        wrong = hashlib.sha256(b"something else").hexdigest()
        right = hashlib.sha256(body).hexdigest()

        def upload(peer, size, *pieces):
            offered = peer.ask(protocol.ARTEFACT_OFFER, {"sha256": wrong, "size": str(size), "request_id": "r1"}).json
            for at, piece in pieces:
                answer = peer.ask(protocol.ARTEFACT_CHUNK, struct.pack("<QQ", int(offered["upload"]), at) + piece)
            return answer

        with self.trusted() as peer:
            for what, said, size, pieces in (
                    ("another hash", f"announced as {wrong} but is {right}.*send it again", len(body),
                     ((0, body[:200000]), (200000, body[200000:]))),
                    ("a gap", "artefact bytes at offset 7; 5 of 10 are here", 10, ((0, b"12345"), (7, b"890"))),
                    ("more than announced", "artefact bytes at offset 0; 0 of 10 are here", 10, ((0, b"12345678901"),)),
                    ("an upload of others", "no upload 99 of yours", 10, ())):
                with self.subTest(sent=what):
                    if pieces:
                        answer = upload(peer, size, *pieces)
                    else:
                        answer = peer.ask(protocol.ARTEFACT_CHUNK, struct.pack("<QQ", 99, 0) + b"x")
                    self.assertEqual(protocol.ERROR, answer.kind)
                    self.assertRegex(answer.json["text"] + " " + answer.json["hint"], said)
            for sha256, size, said in (("zz" * 32, "10", "64 lower-case hex digits"), ("ab", "10", "64 lower-case hex digits"),
                                       ("../" * 21 + "a", "10", "64 lower-case hex digits"),
                                       (wrong, "0", "an artefact of 0 bytes"), (wrong, str(1 << 60), "268435456 are possible")):
                with self.subTest(sha256=sha256, size=size):
                    answer = peer.ask(protocol.ARTEFACT_OFFER, {"sha256": sha256, "size": size, "request_id": "r1"})
                    self.assertEqual(protocol.ERROR, answer.kind)
                    self.assertIn(said, answer.json["text"])
            answer = peer.ask(protocol.APP_SUBMIT, {"request_id": "r2", "sha256": wrong, "name": "never"})
            self.assertEqual(protocol.ERROR, answer.kind)
            self.assertIn("is not here: upload it first", answer.json["text"])
        self.nothing_came_in()

    def test_the_same_file_in_two_uploads_at_once(self):
        """Piece by piece in turn: both come through, and the file is there once."""
        body = os.urandom(100000)
        sha256 = hashlib.sha256(body).hexdigest()
        with self.trusted() as one, self.trusted() as two:
            uploads = []
            for peer in (one, two):
                offer = {"sha256": sha256, "size": str(len(body)), "request_id": "r1"}
                uploads.append((peer, int(peer.ask(protocol.ARTEFACT_OFFER, offer).json["upload"])))
            for at in range(0, len(body), 25000):
                for peer, upload in uploads:
                    answer = peer.ask(protocol.ARTEFACT_CHUNK, struct.pack("<QQ", upload, at) + body[at:at + 25000])
                    self.assertEqual((protocol.REPLY, str(at + 25000)), (answer.kind, answer.json["received"]))
            self.assertTrue(one.ask(protocol.ARTEFACT_OFFER, offer).json["have"])
        self.nothing_came_in()


class FewDescriptors(harness.Case):
    def test_a_crowd_takes_them_all_and_gives_them_back(self):
        program = self.file("gpd.sh", f'#!/bin/sh\nulimit -n 48\nexec {self.built("bin/gpd")} "$@"\n')
        os.chmod(program, 0o755)
        cluster = self.local(program=program)
        host, _, port = cluster.master.rpartition(":")
        crowd = [Connection((host, int(port)), timeout_s=10) for _ in range(100)]
        for peer in crowd:
            peer.socket.close()
        system.wait_until(lambda: cluster.gpctl("list").code == harness.OK, "it answers again", harness.READY_S)
        cluster.is_healthy()


class WithoutTheSecret(harness.Case):
    def setUp(self):
        super().setUp()
        self.cluster = self.local(workers=1)
        self.other = self.file("other_secret", "0" * 64)
        os.chmod(self.other, 0o600)

    def test_a_client_is_not_allowed(self):
        for command in (["list"], ["submit", self.plugin("faulty")], ["kill", "1"]):
            with self.subTest(command=command):
                result = self.cluster.gpctl(*command, env={"GEARPUMP_CLUSTER__SECRET_FILE": self.other})
                self.assert_refused(result, harness.NOT_ALLOWED, "secret")
        self.cluster.is_healthy()

    def test_a_worker_is_not_allowed(self):
        stranger = self.start("worker", "--masters", self.cluster.master, "--data", self.folder("stranger"),
                              env={"GEARPUMP_CLUSTER__SECRET_FILE": self.other})
        system.wait_until(lambda: "secret" in stranger.err,
                          f"the reason in its log: {stranger.err}", harness.READY_S)
        self.assertEqual(1, len(self.cluster.json("workers")["workers"]))
        self.cluster.is_healthy()

    def test_the_secret_is_in_no_log_and_no_command_line(self):
        app = self.cluster.submit(self.plugin("ticker"))
        self.cluster.wait_for_state(app, "running")
        with open(self.secret, encoding="ascii") as file:
            secret = file.read().strip()
        for process in self.cluster.daemon.children():
            self.assertNotIn(secret, " ".join(process.command))
            with open(f"/proc/{process.pid}/environ", "rb") as file:
                self.assertNotIn(secret.encode(), file.read())
        for path in self._texts_of_processes():
            self.assertNotIn(secret, harness.read_text(path))
        self.assertEqual(0o600, os.stat(self.secret).st_mode & 0o777)

    def test_two_that_start_at_once_make_one_secret(self):
        env = {"GEARPUMP_CLUSTER__SECRET_FILE": self.path("fresh")}
        nobody = f"127.0.0.1:{system.free_port()}"
        clients = [subprocess.Popen([self.built("bin/gpctl"), "--master", nobody, "list"], env={**self.env, **env},
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(8)]
        for client in clients:
            self.assertEqual(harness.UNREACHABLE, client.wait(harness.COMMAND_S))
        self.assertEqual(0o600, os.stat(self.path("fresh")).st_mode & 0o777)


if __name__ == "__main__":
    harness.main()
