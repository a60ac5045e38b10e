"""The actor protocol as a stranger would write it, to send good and bad frames (runtime/wire/PROTOCOL.md)."""

import hashlib
import hmac
import json
import os
import socket
import struct

MAGIC = b"GPF1"
VERSION = 1
HEADER = struct.Struct("<4sIHBBIQQ")
FLAG_CRC = 1
TELL, ASK, REPLY, ERROR = range(4)
HELLO, PROOF, PING, PONG, CLOSE = range(1, 6)
BATCH, CREDIT, RAFT = 16, 17, 32
CLUSTER_INFO, APP_DESCRIBE, ARTEFACT_OFFER, ARTEFACT_CHUNK, APP_SUBMIT = 256, 259, 262, 263, 265


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def frame(kind_of_payload, payload=b"", kind=TELL, correlation=0, sequence=0, **lies):
    """A frame. `lies` put other values into its header: magic, length, version, flags, crc."""
    if isinstance(payload, dict):
        payload = json.dumps(payload).encode()
    flags = lies.get("flags", FLAG_CRC | kind << 1)
    values = [lies.get("magic", MAGIC), lies.get("length", len(payload)), kind_of_payload,
              lies.get("version", VERSION), flags, 0, correlation, sequence]
    if flags & FLAG_CRC:
        values[5] = lies.get("crc", crc32c(HEADER.pack(*values) + payload))
    return HEADER.pack(*values) + payload


class Frame:
    def __init__(self, header, payload):
        (self.magic, self.length, self.type, self.version, self.flags, self.crc, self.correlation,
         self.sequence) = HEADER.unpack(header)
        self.kind = self.flags >> 1 & 3
        self.payload = payload

    @property
    def json(self):
        return json.loads(self.payload)


class Connection:
    """One connection to a listener: (host, port), or the path of a Unix socket."""

    def __init__(self, address, timeout_s):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout_s)
        self.socket.connect(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """What the peer does not want to read any more is lost, and that is fine."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def half_close(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _receive(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def receive(self):
        header = self._receive(HEADER.size)
        received = Frame(header, b"")
        received.payload = self._receive(received.length)
        return received

    def read_to_end(self):
        """Everything until the peer closes; socket.timeout when it does not."""
        data = b""
        try:
            while piece := self.socket.recv(65536):
                data += piece
        except ConnectionResetError:
            pass
        return data

    # ---- the handshake ----

    @staticmethod
    def hello(role="client", name="client", key="cluster", **others):
        hello = {"proto_min": 1, "proto_max": 1, "cluster": "", "role": role, "name": name, "incarnation": "1",
                 "key": key, "nonce": os.urandom(32).hex(), "target": "", "target_incarnation": "0",
                 "masters_hash": ""}
        return json.dumps({**hello, **others}).encode()

    def greet(self, secret, **hello):
        """Becomes a trusted peer, and checks that the other side is one. EOFError: refused."""
        ours = self.hello(**hello)
        self.send(frame(HELLO, ours))
        theirs = self.receive()
        if theirs.type != HELLO:
            raise EOFError(theirs.payload)
        self.send(frame(PROOF, {"mac": prove(secret, b"client", ours, theirs.payload)}))
        proof = self.receive()
        if proof.type != PROOF:
            raise EOFError(proof.payload)
        assert proof.json["mac"] == prove(secret, b"server", ours, theirs.payload)

    def ask(self, kind_of_payload, payload, correlation=1):
        self.send(frame(kind_of_payload, payload, kind=ASK, correlation=correlation))
        while True:
            answer = self.receive()
            if answer.type != PING:
                return answer


def prove(secret, direction, client_hello, server_hello):
    text = b"gearpump-v1\0" + direction + b"\0" + client_hello + b"\0" + server_hello
    return hmac.new(secret, text, hashlib.sha256).hexdigest()
