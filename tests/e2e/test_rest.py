"""REST: every endpoint of the OpenAPI document is called, and every answer is validated against it.

Requests are made by http.client and by plain sockets, where they are meant to be wrong.
"""

import hashlib
import http.client
import json
import resource
import shutil
import socket
import threading
import urllib.parse

import groups
import harness
import system
from system import wait_until

WAIT_S = 60 * harness.SLOWNESS


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {self.headers}\n{self.body[:2000]!r}"


class Web:
    """The web server of one daemon, as its ready file names it."""

    def __init__(self, ready):
        parts = urllib.parse.urlsplit(ready["http"])
        self.host, self.port = parts.hostname, parts.port
        self.token_path = ready["http_token_file"]
        with open(self.token_path, encoding="utf-8") as file:
            self.token = file.read().strip()

    def call(self, method, path, body=None, token=None, headers=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=WAIT_S)
        sent = dict(headers or {})
        if token is None and method not in ("GET", "HEAD"):
            token = self.token
        if token:
            sent["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, **options):
        return self.call("POST", path, **options)

    def connect(self):
        return socket.create_connection((self.host, self.port), timeout=WAIT_S)


def validate(document, schema, value, where="answer"):
    """The part of JSON Schema that the document uses."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        validate(document, document["components"]["schemas"][name], value, where)
        return
    if value is None and schema.get("nullable"):
        return
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    kind = schema.get("type")
    if kind and (not isinstance(value, kinds[kind]) or (kind != "boolean" and isinstance(value, bool))):
        raise AssertionError(f"{where}: {value!r} is no {kind}")
    if "enum" in schema and value not in schema["enum"]:
        raise AssertionError(f"{where}: {value!r} is none of {schema['enum']}")
    if kind == "array":
        for i, item in enumerate(value):
            validate(document, schema["items"], item, f"{where}[{i}]")
    if kind == "object":
        known = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                raise AssertionError(f"{where}: {name} is missing")
        for name, item in value.items():
            inner = known.get(name, schema.get("additionalProperties"))
            if inner is None:
                raise AssertionError(f"{where}: {name} is not in the document")
            validate(document, inner, item, f"{where}.{name}")


class Rest(harness.Case):
    def begin(self, *arguments, workers=1):
        self.cluster = self.local(*arguments, workers=workers)
        self.web = Web(self.cluster.daemon.ready())
        return self.web

    def expect(self, answer, status):
        self.assertEqual(status, answer.status, str(answer))
        return answer

    def refused(self, answer, status, *said):
        self.expect(answer, status)
        error = answer.json["error"]
        self.assertEqual({"code", "what", "why", "try"}, set(error))
        for text in said:
            self.assertIn(text, error["why"] + error["try"])

    def upload(self, web, job, query=""):
        with open(job, "rb") as file:
            return web.post(f"/api/v1/apps{query}", body=file.read())

    def wait_for(self, web, app, *states):
        def check():
            return web.get(f"/api/v1/apps/{app}").json["application"]["state"] in states

        wait_until(check, f"{app} is {states}", WAIT_S, pause_s=0.1)

    def test_every_endpoint_answers_as_the_document_says(self):
        web = self.begin(workers=2)
        document = self.expect(web.get("/api/v1/openapi.json"), 200).json
        called = set()

        def call(method, path, concrete=None, status="200", **options):
            operation = document["paths"][path][method]
            answer = web.call(method.upper(), concrete or path, **options)
            self.assertEqual(int(status), answer.status, str(answer))
            content = operation["responses"][status]["content"]
            kind, media = next(iter(content.items()))
            self.assertTrue(answer.headers["Content-Type"].startswith(kind), str(answer))
            if kind == "application/json":
                validate(document, media["schema"], answer.json, f"{method} {path}")
            called.add((method, path))
            return answer

        steady = self.plugin("steady")
        with open(steady, "rb") as file:
            body = file.read()
        app = call("post", "/api/v1/apps", "/api/v1/apps?name=first&executors=1", "201", body=body).json["id"]
        self.wait_for(web, app, "running")
        for path in ("version", "masters", "workers", "apps", "config", "plugins", "openapi.json"):
            call("get", f"/api/v1/{path}")
        self.assertEqual(self.cluster.json("config", "--from", "master"), web.get("/api/v1/config").json)
        for path in ("/metrics", "/healthz", "/readyz"):
            call("get", path)
        one = f"/api/v1/apps/{app}"
        call("get", "/api/v1/apps/{app}", one)
        call("get", "/api/v1/apps/{app}/logs", f"{one}/logs?tail=5&executor=0")
        call("get", "/api/v1/apps/{app}/metrics", f"{one}/metrics")
        call("get", "/api/v1/apps/{app}/metrics", f"{one}/metrics?window=5m")
        call("post", "/api/v1/apps/{app}/rebalance", f"{one}/rebalance")
        again = call("post", "/api/v1/apps/{app}/restart", f"{one}/restart?request_id=r1", "201").json["id"]
        self.assertNotEqual(app, again)
        self.assertEqual(again, web.post(f"{one}/restart?request_id=r1").json["id"], "once for one request")
        self.wait_for(web, app, "killed")
        call("post", "/api/v1/apps/{app}/kill", f"/api/v1/apps/{again}/kill")
        call("post", "/api/v1/workers/{worker}/drain", "/api/v1/workers/2/drain")
        call("post", "/api/v1/workers/{worker}/drain", "/api/v1/workers/2/drain?undo")
        # The only master can be neither added nor removed; who waits for that is in test_masters.py.
        for method, path in (("POST", "/api/v1/masters?address=127.0.0.1:1"), ("DELETE", "/api/v1/masters/127.0.0.1:1")):
            answer = web.call(method, path)
            self.assertGreaterEqual(answer.status, 400, str(answer))
            validate(document, document["components"]["schemas"]["error"], answer.json)
        called |= {("post", "/api/v1/masters"), ("delete", "/api/v1/masters/{address}")}
        events = self.events(web, lambda seen: any(e["kind"] == "worker.serving" for _, e in seen))
        for _, event in events:
            validate(document, document["components"]["schemas"]["cluster_event"], event)
        called.add(("get", "/api/v1/events"))
        everything = {(method, path) for path, item in document["paths"].items() for method in item}
        self.assertEqual(everything, called)
        # The same JSON as gpctl's.
        self.assertEqual(self.cluster.json("list", "-a"), web.get("/api/v1/apps?all").json)
        self.assertEqual(self.cluster.json("masters"), web.get("/api/v1/masters").json)
        self.assertEqual(self.cluster.json("version"), web.get("/api/v1/version").json)
        self.assertEqual(self.cluster.json("describe", str(again)), web.get(f"/api/v1/apps/{again}").json)

    def events(self, web, enough, last=None):
        """Reads the stream until enough(list of (id, event))."""
        headers = {"Last-Event-ID": last} if last else {}
        connection = http.client.HTTPConnection(web.host, web.port, timeout=WAIT_S)
        connection.request("GET", "/api/v1/events", headers=headers)
        response = connection.getresponse()
        seen, number = [], None
        try:
            while not enough(seen):
                line = response.readline().decode().rstrip("\n")
                if line.startswith("id: "):
                    number = line[4:]
                elif line.startswith("data: "):
                    seen.append((number, json.loads(line[6:])))
        finally:
            response.close()
            connection.close()
        return seen

    def test_events_go_on_after_the_last_id(self):
        web = self.begin()
        self.expect(self.upload(web, self.plugin("steady"), "?name=one"), 201)
        first = self.events(web, lambda seen: any(e["kind"] == "app.started" for _, e in seen))
        kinds = [event["kind"] for _, event in first]
        self.assertEqual("leader.changed", kinds[0])
        self.assertIn("worker.joined", kinds)
        self.assertIn("app.submitted", kinds)
        web.post("/api/v1/apps/one/kill")
        rest = self.events(web, lambda seen: any(e["kind"] == "app.killed" for _, e in seen), last=first[-1][0])
        self.assertEqual(str(first[-1][1]["seq"]), first[-1][0].split(".")[1])
        self.assertGreater(rest[0][1]["seq"], first[-1][1]["seq"])
        # Numbers of another leader: all of it.
        other = self.events(web, lambda seen: len(seen) > 0, last="999.5")
        self.assertEqual("leader.changed", other[0][1]["kind"])
        printed = self.ok(self.cluster.gpctl("-o", "json", "events")).out.splitlines()
        self.assertEqual("app.killed", json.loads(printed[-1])["kind"])
        self.assertRegex(self.ok(self.cluster.gpctl("events")).out,
                         r"(?s)leader\.changed +- .*worker\.joined +worker/1 .*app\.killed +app/1 +one was killed")

    def test_events_tell_of_executors_and_tasks(self):
        web = self.begin(workers=2)
        crash = self.path("crash")
        self.expected_noise = r"gearpump: crash |process\.crashed|app\.recovering|executor_lost"
        self.expect(self.upload(web, self.plugin("steady"), f"?name=one&executors=2&set=rate=100&set=crash={crash}"),
                    201)
        self.wait_for(web, "one", "running")
        self.file("crash", "")
        # Whom one replaces is told unless it has done so before that could be written down.
        others = ("executor.replaced", "executor.added")
        told = self.events(web, lambda seen: any(e["kind"] == "executor.died" for _, e in seen)
                           and any(e["kind"] in others for _, e in seen))
        died = next(e for _, e in told if e["kind"] == "executor.died")
        self.assertEqual((1, "warn"), (died["app"], died["level"]))
        self.assertRegex(died["text"], r"^one: executor [12] on worker [12] died: .*SIG")
        replaced = next(e for _, e in told if e["kind"] in others)
        self.assertRegex(replaced["text"], r"^one: executor 3 on worker [12] takes (the place of executor [12]|tasks, too)$")
        self.assertIn(replaced["worker"], (1, 2))
        self.wait_for(web, "one", "running")
        web.post("/api/v1/workers/1/drain")
        moved = self.events(web, lambda seen: any(e["kind"] == "task.moved" for _, e in seen))
        self.assertRegex(next(e for _, e in moved if e["kind"] == "task.moved")["text"], r"^one: \d+ tasks? moved$")
        self.assertEqual(1, sum(e["kind"] == "executor.died" for _, e in moved))

    def test_lists_plugins_without_running_them(self):
        folder = self.folder("plugins")
        shutil.copy(self.plugin("faulty_init"), f"{folder}/faulty_init.so")
        self.file("plugins/broken.so", "no shared object")
        self.file("plugins/readme.txt", "no plugin")
        web = self.begin("--set", f"plugins.path={folder}")
        plugins = {one["name"]: one for one in self.expect(web.get("/api/v1/plugins"), 200).json["plugins"]
                   if one["file"].startswith(folder)}
        self.assertEqual({"broken", "faulty_init"}, set(plugins))
        self.assertEqual(("broken", "not an ELF file"), (plugins["broken"]["state"], plugins["broken"]["why"]))
        self.assertEqual("ok", plugins["faulty_init"]["state"])
        self.assertTrue(plugins["faulty_init"]["version"])

    def test_refuses_who_may_not(self):
        web = self.begin()
        self.assertEqual(0o600, harness.os.stat(web.token_path).st_mode & 0o777)
        kill = "/api/v1/apps/1/kill"
        self.refused(web.post(kill, token=""), 401, web.token_path)
        self.refused(web.post(kill, token="0" * 64), 401)
        self.refused(web.post(kill, token=web.token[:-1]), 401)
        for origin in ("http://evil.example", "null", f"https://{web.host}:{web.port}", f"http://{web.host}:1"):
            self.refused(web.post(kill, headers={"Origin": origin}), 403)
        self.refused(web.post(kill, headers={"Origin": f"http://{web.host}:{web.port}"}), 404)
        for host in ("evil.example", f"evil.example:{web.port}", ""):
            self.assertIn(web.get("/api/v1/version", headers={"Host": host}).status, (400, 403))
        self.expect(web.get("/api/v1/version", headers={"Host": f"localhost:{web.port}"}), 200)
        self.assertEqual(400, self.raw(web, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"))
        self.assertEqual(400, self.raw(web, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
                                            b"Content-Length: 1\r\n\r\nx"))
        gzip = {"Accept-Encoding": "br, gzip;q=0.5"}
        page = self.expect(web.get("/", headers=gzip), 200)
        self.assertEqual("gzip", page.headers["Content-Encoding"])
        for coding in ("identity", "gzip;q=0, br", ""):
            self.refused(web.get("/", headers={"Accept-Encoding": coding}), 406, "--compressed")
        self.assertIn("default-src 'none'", page.headers["Content-Security-Policy"])
        self.assertEqual("nosniff", page.headers["X-Content-Type-Options"])
        self.assertNotIn("Set-Cookie", page.headers)
        self.expect(web.get("/", headers={**gzip, "If-None-Match": page.headers["ETag"]}), 304)

    def test_explains_what_is_wrong(self):
        web = self.begin()
        self.refused(web.get("/api/v1/app"), 404, "/api/v1/apps")
        self.refused(web.get("/api/v1/apps/none"), 404, "none")
        answer = web.post("/api/v1/version")
        self.refused(answer, 405)
        self.assertEqual("GET, HEAD", answer.headers["Allow"])
        self.refused(web.get("/api/v1/apps?al=1"), 400, "al", "all")
        self.refused(web.get("/api/v1/apps?all=perhaps"), 400, "all")
        self.refused(web.get("/api/v1/apps?all=true&all=true"), 400, "all")
        self.refused(web.get("/api/v1/apps/1/logs?tail=0"), 400, "tail")
        self.refused(web.get("/api/v1/apps/%zz"), 400)
        self.refused(web.get("/api/v1/apps/%00"), 400)
        self.refused(web.get("/api/v1/events", headers={"Last-Event-ID": "x"}), 400, "Last-Event-ID")
        self.refused(web.post("/api/v1/apps", body=b""), 400, "empty")
        self.refused(web.post("/api/v1/apps", body=b"no shared object"), 422)
        self.refused(web.post("/api/v1/apps?set=x", body=b"1"), 400, "set")
        # What to try is said in the words of who asks.
        self.assertEqual("steady", self.expect(self.upload(web, self.plugin("steady")), 201).json["name"])
        self.refused(self.upload(web, self.plugin("steady")), 409, "POST /api/v1/apps/1/kill, or choose another name "
                     "with the parameter name")
        self.refused(web.post("/api/v1/workers/9/drain"), 404, "GET /api/v1/workers")
        self.refused(web.post("/api/v1/apps/1/kill", body=b"1"), 400)
        self.assertEqual(431, self.raw(web, b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 40000 + b"\r\n\r\n"))

    @staticmethod
    def raw(web, request):
        """The status of the answer to bytes as they are; 0: there is none."""
        with web.connect() as sock:
            try:
                sock.sendall(request)
                line = sock.makefile("rb").readline()
            except (ConnectionResetError, BrokenPipeError):
                return 431  # it was closed while we were still sending
            return int(line.split()[1]) if line else 0

    def test_bounds_uploads(self):
        web = self.begin("--set", "limits.upload_bytes=1MiB")
        self.assertEqual(413, self.raw(web, (
            f"POST /api/v1/apps HTTP/1.1\r\nHost: {web.host}\r\nAuthorization: Bearer {web.token}\r\n"
            "Content-Length: 2000000\r\n\r\n").encode()))
        folder = harness.os.path.join(self.path("data-0"), "uploads")
        for _ in range(3):  # an upload that breaks off leaves nothing behind
            with web.connect() as sock:
                sock.sendall((f"POST /api/v1/apps HTTP/1.1\r\nHost: {web.host}\r\n"
                              f"Authorization: Bearer {web.token}\r\nContent-Length: 500000\r\n\r\n").encode()
                             + b"x" * 100000)
                wait_until(lambda: harness.os.path.isdir(folder) and harness.os.listdir(folder), "it has begun", WAIT_S)
        wait_until(lambda: not harness.os.listdir(folder), "nothing is left", WAIT_S)
        self.expect(web.get("/healthz"), 200)

    def test_an_upload_that_is_not_what_was_announced(self):
        web = self.begin()
        with open(self.plugin("ticker"), "rb") as file:
            body = file.read()
        right, wrong = (hashlib.sha256(text).hexdigest() for text in (body, b"something else"))
        self.refused(web.post(f"/api/v1/apps?sha256={wrong}", body=body), 400,
                     f"its sha256 is {right}, not {wrong} as announced", "send it again")
        self.refused(web.post("/api/v1/apps?sha256=zz", body=body), 400, f"its sha256 is {right}, not zz")
        self.assertEqual([], web.get("/api/v1/apps?all=true").json["applications"])
        wait_until(lambda: not harness.os.listdir(harness.os.path.join(self.path("data-0"), "uploads")), "nothing is left",
                   WAIT_S)
        self.expect(web.post(f"/api/v1/apps?sha256={right}", body=body), 201)

    def test_the_same_file_from_many_at_once(self):
        web = self.begin()
        with open(self.plugin("ticker"), "rb") as file:
            body = file.read() + bytes(4 << 20)
        answers = [None] * 4

        def upload(i):
            answers[i] = web.post(f"/api/v1/apps?name=same{i}&executors=1", body=body)

        threads = [threading.Thread(target=upload, args=(i,)) for i in range(len(answers))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([1, 2, 3, 4], sorted(self.expect(answer, 201).json["id"] for answer in answers))
        for i in range(len(answers)):
            self.wait_for(web, f"same{i}", "running")
            self.expect(web.post(f"/api/v1/apps/same{i}/kill"), 200)

    def test_an_upload_is_not_held_in_memory(self):
        web = self.begin("--set", "limits.upload_bytes=128MiB")
        with open(self.plugin("steady"), "rb") as file:
            body = file.read() + bytes(64 << 20)  # what a linker does not know of is left alone
        before = system.peak_kb(self.cluster.daemon.pid)
        app = self.expect(web.post("/api/v1/apps?name=large&executors=1", body=body), 201).json["id"]
        self.wait_for(web, app, "running")
        if harness.SLOWNESS == 1:  # memory of a sanitizer is another matter
            self.assertLess(system.peak_kb(self.cluster.daemon.pid) - before, 32 << 10)
        # The same again is checked, not sent: it is there.
        web.post(f"/api/v1/apps/{app}/kill")
        self.expect(web.post("/api/v1/apps?name=large&executors=1", body=body), 201)

    def test_a_daemon_that_died_leaves_no_upload_behind(self):
        web = self.begin()
        folder = harness.os.path.join(self.path("data-0"), "uploads")
        with web.connect() as sock:
            sock.sendall((f"POST /api/v1/apps HTTP/1.1\r\nHost: {web.host}\r\nAuthorization: Bearer {web.token}\r\n"
                          "Content-Length: 500000\r\n\r\n").encode() + b"x" * 100000)
            wait_until(lambda: harness.os.path.isdir(folder) and harness.os.listdir(folder), "it has begun", WAIT_S)
            self.cluster.daemon.send(harness.signal.SIGKILL)
            self.cluster.daemon.wait()
        self.assertEqual(1, len(harness.os.listdir(folder)))
        again = self.start("local", "--port", "0", "--workers", "1", "--data", self.path("data-0"))
        again.ready()
        self.assertFalse(harness.os.path.isdir(folder) and harness.os.listdir(folder))

    def test_a_request_that_comes_twice_counts_once(self):
        web = self.begin()
        first = self.expect(self.upload(web, self.plugin("steady"), "?name=a&executors=1&request_id=q1"), 201).json
        self.assertEqual(first, self.expect(self.upload(web, self.plugin("steady"), "?name=a&request_id=q1"), 201).json)
        self.assertEqual(1, len(web.get("/api/v1/apps?all").json["applications"]))
        # Two clicks at once, each with a request of its own: the second joins the first.
        answers = []
        threads = [threading.Thread(target=lambda i=i: answers.append(web.post(f"/api/v1/apps/1/restart?request_id=r{i}")))
                   for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made = {answer.json["id"] for answer in answers if answer.status == 201}
        self.assertEqual(1, len(made), [str(answer) for answer in answers])
        for answer in answers:  # one that came late finds the name taken
            self.assertIn(answer.status, (201, 409))
        self.assertEqual(2, len(web.get("/api/v1/apps?all").json["applications"]))

    def test_where_and_when_a_job_runs(self):
        web = self.begin(workers=2)
        job = self.plugin("steady")
        self.expect(self.upload(web, job, "?name=high&priority=high&parallelism=sink=2"), 201)
        self.expect(self.upload(web, job, "?name=waits&place=sink=worker:nobody"), 201)
        self.wait_for(web, "waits", "waiting")
        apps = {app["name"]: app for app in web.get("/api/v1/apps").json["applications"]}
        self.assertEqual(("high", "normal"), (apps["high"]["priority"], apps["waits"]["priority"]))
        for query, said in (("priority=urgent", "priority"), ("place=sink=moon", "place sink=moon"),
                            ("parallelism=sink=0", "parallelism sink=0"), ("set=rate", "set rate")):
            self.refused(self.upload(web, job, f"?name=x&{query}"), 400, said)
        self.expect(self.upload(web, job, "?name=now&no_wait&parallelism=sink=1000"), 201)
        self.wait_for(web, "now", "failed")

    def test_logs_by_level_and_time(self):
        web = self.begin()
        self.expect(self.upload(web, self.plugin("ticker"), "?name=ticker&executors=1"), 201)
        logs = "/api/v1/apps/ticker/logs"

        def lines(query=""):
            return [one["line"] for one in self.expect(web.get(logs + query), 200).json["lines"]]

        wait_until(lambda: any("logged tick 4" in line for line in lines()), "ticks", WAIT_S, pause_s=0.1)
        self.assertEqual([], lines("?level=error"))
        self.assertTrue(any("printed tick 1" in line for line in lines("?level=info")))
        self.assertTrue(any("printed tick 1" in line for line in lines("?since=1h")))
        self.assertEqual([], lines("?since=2100-01-01T00:00Z"))
        moment = next(line for line in lines() if "logged tick 3" in line).split()[0]
        since = lines(f"?since={moment}&executor=1")
        self.assertTrue(any("logged tick 3" in line for line in since))
        self.assertFalse(any("logged tick 2" in line for line in since))
        self.assertEqual(2, len(lines("?since=1h&tail=2&executor=1")))
        self.refused(web.get(f"{logs}?since=soon"), 400, "since")
        self.refused(web.get(f"{logs}?level=loud"), 400, "level")

    def test_logs_are_bounded_in_all(self):
        web = self.begin("--lanes", "1", workers=18)
        self.expect(self.upload(web, self.plugin("chatty"), "?name=chatty&executors=18&set=tasks=18"), 201)

        def sizes(answer):
            total = {}
            for one in answer.json["lines"]:
                total[one["executor"]] = total.get(one["executor"], 0) + len(one["line"]) + 1
            return total

        def check():
            answer = web.get("/api/v1/apps/chatty/logs?tail=10000")
            self.expect(answer, 200)
            missing = [one for one in answer.json["missing"] if "full" in one["why"]]
            return answer if len(missing) >= 2 else None

        answer = wait_until(check, "all have talked", WAIT_S, pause_s=0.2)
        total = sizes(answer)
        self.assertLessEqual(sum(total.values()), 4 << 20)
        self.assertGreater(sum(total.values()), 3 << 20)
        alone = answer.json["missing"][0]["executor"]
        self.assertNotIn(alone, total)
        self.assertGreater(sizes(web.get(f"/api/v1/apps/chatty/logs?tail=10000&executor={alone}"))[alone], 200 << 10)

    def test_takes_few_uploads_at_a_time(self):
        web = self.begin()
        folder = harness.os.path.join(self.path("data-0"), "uploads")
        begun = []
        for _ in range(4):
            begun.append(web.connect())
            begun[-1].sendall((f"POST /api/v1/apps HTTP/1.1\r\nHost: {web.host}\r\n"
                               f"Authorization: Bearer {web.token}\r\nContent-Length: 500\r\n\r\n").encode())
        wait_until(lambda: harness.os.path.isdir(folder) and len(harness.os.listdir(folder)) == 4, "they have begun",
                   WAIT_S)
        self.expect(web.post("/api/v1/apps", body=b"x"), 503)
        self.expect(web.get("/healthz"), 200)
        for sock in begun:
            sock.close()
        wait_until(lambda: not harness.os.listdir(folder), "nothing is left", WAIT_S)
        self.expect(web.post("/api/v1/apps", body=b"x"), 422)

    def test_ten_thousand_idle_connections_harm_nobody(self):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limit)
        count = min(10000, limit[1] - 200)
        web = self.begin()
        pid = self.cluster.daemon.pid
        self.expect(self.upload(web, self.plugin("ticker"), "?name=ticker&executors=1"), 201)
        self.wait_for(web, "ticker", "running")
        before_kb = system.peak_kb(pid)
        idle = []
        for i in range(count):  # of many addresses, so that both bounds are met
            idle.append(socket.create_connection((web.host, web.port), timeout=WAIT_S,
                                                 source_address=(f"127.0.0.{1 + i % 200}", 0)))
            if i % 1000 == 999:
                self.expect(web.get("/api/v1/workers"), 200)
                self.assertLess(len(harness.os.listdir(f"/proc/{pid}/fd")), 500)
        if harness.SLOWNESS == 1:
            self.assertLess(system.peak_kb(pid) - before_kb, 16 << 10)
        # The job goes on, and nothing of it was restarted.
        ticks = web.get("/api/v1/apps/ticker").json["processors"][1]["in"]
        wait_until(lambda: web.get("/api/v1/apps/ticker").json["processors"][1]["in"] > ticks, "it ticks", WAIT_S,
                   pause_s=0.1)
        self.assertEqual(0, web.get("/api/v1/apps/ticker").json["restarts"]["used"])
        self.cluster.is_healthy()
        for sock in idle:
            sock.close()
        self.expect(web.get("/healthz"), 200)

    def test_readers_of_events_leave_room_for_others(self):
        web = self.begin("--set", "http.per_address=200")
        readers = []
        for _ in range(128):
            readers.append(web.connect())
            readers[-1].sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: {web.host}\r\n\r\n".encode())
            self.assertIn(b" 200 ", readers[-1].recv(20))
        self.refused(web.get("/api/v1/events"), 503, "128")
        self.expect(web.get("/healthz"), 200)
        self.ok(self.cluster.gpctl("events"))
        for sock in readers:
            sock.close()

    def test_a_slow_reader_of_events_is_harmless(self):
        web = self.begin()
        readers = []
        for _ in range(5):
            sock = web.connect()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: {web.host}\r\n\r\n".encode())
            readers.append(sock)
        for i in range(100):
            web.post(f"/api/v1/workers/1/drain{'?undo' if i % 2 else ''}")
        self.expect(web.get("/healthz"), 200)
        for sock in readers:
            sock.close()

    def test_a_taken_port_is_a_conflict_unless_it_is_the_usual_one(self):
        web = self.begin()
        taken = self.gpd("local", "--port", "0", "--data", self.path("other"), "--set", f"http.port={web.port}",
                         "--log-level", "off")
        self.assert_refused(taken, harness.CONFLICT, str(web.port))
        self.assertNotIn("http", self.local("--set", "http.enabled=false").daemon.ready())

    def test_a_worker_serves_health_alone(self):
        self.begin()
        worker = self.start("worker", "--masters", self.cluster.master, "--data", self.path("worker"))
        web = Web(worker.ready())
        for path in ("/healthz", "/readyz", "/metrics"):
            self.expect(web.get(path), 200)
        for path in ("/", "/api/v1/apps"):
            self.refused(web.get(path), 404)

    def test_systemd_hears_how_it_is(self):
        path = self.path("notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(path)
            sock.settimeout(WAIT_S)
            cluster = self.local(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "300000"})
            heard = [sock.recv(100) for _ in range(3)]
            self.assertEqual([b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"], heard)
            cluster.daemon.send(harness.signal.SIGTERM)
            while heard[-1] != b"STOPPING=1":
                heard.append(sock.recv(100))
            cluster.daemon.wait()
        harness.os.unlink(path)


class Followers(groups.Group):
    def test_answer_like_the_leader(self):
        self.group(3, workers=1)
        webs = [Web(master.ready()) for master in self.masters]
        with open(self.plugin("steady"), "rb") as file:
            body = file.read()
        app = None
        for i, web in enumerate(webs):
            answer = web.post(f"/api/v1/apps?name=job{i}&executors=1", body=body)
            self.assertEqual(201, answer.status, str(answer))
            app = answer.json["id"]
        self.cluster.wait_for_state(app, "running")
        for path, name, members in (("workers", "workers", ("id", "address", "pid", "state")),
                                    ("masters", "masters", ("address", "role", "term"))):
            told = [[[one[m] for m in members] for one in web.get(f"/api/v1/{path}").json[name]] for web in webs]
            self.assertEqual([sorted(told[0])] * 3, [sorted(one) for one in told])
        for web in webs:
            names = [one["name"] for one in web.get("/api/v1/apps").json["applications"]]
            self.assertEqual(["job0", "job1", "job2"], names)
            wait_until(lambda: web.get("/readyz").status == 200, "it is ready", WAIT_S, pause_s=0.1)
        for i, web in enumerate(reversed(webs)):
            self.assertEqual("killed", web.post(f"/api/v1/apps/job{i}/kill").json["state"])


if __name__ == "__main__":
    harness.main()
