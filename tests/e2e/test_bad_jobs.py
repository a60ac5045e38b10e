"""Jobs that cannot work: one clear error, the right exit code, and a cluster as healthy as before."""

import concurrent.futures
import json
import os
import shutil
import signal
import struct
import subprocess

import harness
import system


class BadJob(harness.Case):
    """A cluster that must count words right at the end of each test, in the same processes as before."""

    def setUp(self):
        super().setUp()
        self.cluster = self.local(workers=2)

    def tearDown(self):
        if self.cluster.daemon.process.poll() is None:
            self.wait_until_free(self.cluster)
            self.cluster.is_healthy()
            self.assertEqual(2, len(self.cluster.json("workers")["workers"]))
        super().tearDown()

    def refused(self, code, *said, submit):
        """submit refuses it, with and without --wait, and no application is registered."""
        before = len(self.cluster.json("list", "-a")["applications"])
        self.assert_refused(self.cluster.gpctl("submit", *submit), code, *said)
        self.assert_refused(self.cluster.gpctl("submit", *submit, "--wait"), code, *said)
        self.assertEqual(before, len(self.cluster.json("list", "-a")["applications"]))

    def fails(self, *said, submit):
        return self.assert_job_failed(self.cluster, *said, submit=submit)


class BadFile(BadJob):
    """Known from the bytes of the file: refused before anything is registered."""

    def copy(self, name, patch=None, plugin=None):
        """A copy of WordCount with some bytes changed: patch(bytearray)."""
        with open(plugin or self.example("wordcount"), "rb") as file:
            content = bytearray(file.read())
        if patch:
            patch(content)
        return self.file(name, bytes(content))

    def refused_and_inspected(self, code, *said, file):
        """inspect, run and submit agree."""
        for command in ("inspect", "run"):
            self.assert_refused(self.gpctl(command, file), code, *said)
        self.refused(code, *said, submit=[file])

    def test_missing_file(self):
        self.refused_and_inspected(harness.NOT_FOUND, r"nowhere\.so", file="/nowhere.so")

    def test_a_folder(self):
        self.refused_and_inspected(harness.FAILED, "director|regular|folder", file=self.folder("a_folder.so"))

    def test_empty_file(self):
        self.refused_and_inspected(harness.FAILED, "ELF|empty", file=self.file("empty.so", b""))

    def test_not_an_elf_file(self):
        self.refused_and_inspected(harness.FAILED, r"text\.so", "not an ELF file",
                                   file=self.file("text.so", "int main(void) { return 0; }\n" * 100))

    def test_an_executable(self):
        self.refused_and_inspected(harness.FAILED, "plugin|shared object", file="/bin/true")

    def test_a_shared_object_that_is_no_plugin(self):
        self.refused_and_inspected(harness.FAILED, r"foreign\.so", "plugin|gp_entry", file=self.plugin("foreign"))

    def test_no_gp_entry(self):
        def patch(content):
            # In every string table, so that the note stays and the symbol goes.
            for at in occurrences(content, b"gp_entry\0"):
                content[at:at + 8] = b"no_entry"

        self.refused_and_inspected(harness.FAILED, "gp_entry", file=self.copy("no_entry.so", patch))

    def test_truncated_file(self):
        file = self.copy("cut.so")
        with open(file, "rb") as content:
            end = loaded_end(content.read())
        for keep in (end - 1, end // 2, 1000, 64, 10):
            with self.subTest(keep=keep, of=end):
                os.truncate(file, keep)
                self.refused_and_inspected(harness.FAILED, r"cut\.so", file=file)

    def test_another_abi(self):
        def patch(content):
            at = note_at(content)
            content[at:at + 4] = struct.pack("<I", 99)

        self.refused_and_inspected(harness.FAILED, "ABI", "99", file=self.copy("abi.so", patch))

    def test_another_machine(self):
        def patch(content):
            content[18:20] = struct.pack("<H", 243)

        self.refused_and_inspected(harness.FAILED, "riscv", file=self.copy("riscv.so", patch))

    def test_a_plugin_without_an_application(self):
        file = self.built("plugins/file.so")
        self.refused(harness.FAILED, "application", submit=[file])
        self.assert_refused(self.gpctl("run", file), harness.FAILED, "application")

    def test_a_service_that_nobody_offers(self):
        file = self.plugin("needy")
        self.ok(self.gpctl("inspect", file))
        result = self.cluster.gpctl("submit", file, "--wait", timeout=harness.JOB_S)
        self.assertIn(result.code, (harness.FAILED, harness.JOB_FAILED), str(result))
        self.assert_ends_with(result, result.code, r"gp\.nonsense/9")


class BadPlugin(BadJob):
    """Known only once it is loaded or run: the application is registered and fails."""

    def test_unresolved_symbol(self):
        self.fails("e2e_missing_function", submit=[self.plugin("unresolved")])
        self.assert_refused(self.gpctl("run", self.plugin("unresolved")), harness.JOB_FAILED, "e2e_missing_function")

    def test_a_glibc_that_is_older_than_it_needs(self):
        with open(self.example("wordcount"), "rb") as file:
            content = file.read().replace(b"GLIBC_2.2.5\0", b"GLIBC_9.9.9\0")
        file = self.file("newer.so", content)
        self.assertRegex(self.ok(self.gpctl("inspect", file)).out, r"glibc +9\.9")
        said = (r"GLIBC_9\.9\.9' not found", "newer glibc than this host has: build it on an older system")
        self.fails(*said, submit=[file])
        self.assert_refused(self.gpctl("run", file), harness.JOB_FAILED, *said)

    def test_constructors_that_end_the_process(self):
        self.expected_noise = r"gearpump: crash |process\.crashed|app\.failed|SIGABRT|Sanitizer"
        self.fails("exit code 0 while it loaded", r"nothing may call exit\(\)", submit=[self.plugin("faulty_loading_exit")])
        self.fails("appmaster crashed: SIGABRT", "plugin faulty, in its load", submit=[self.plugin("faulty_loading_crash")])

    def test_note_and_symbol_disagree(self):
        with open(self.example("wordcount"), "rb") as file:
            content = bytearray(file.read())
        at = note_at(content) + 16
        content[at:at + 9] = b"worldcoin"
        self.fails("worldcoin|note", submit=[self.file("two_names.so", bytes(content))])

    def test_build_fails_with_a_reason(self):
        submit = [self.plugin("bad_graph"), "--set", "mistakes=own"]
        described = self.fails("the parameter 'colour' is missing", submit=submit)
        self.assertIn("the parameter 'colour' is missing",
                      self.ok(self.cluster.gpctl("logs", str(described["application"]["id"]))).out)
        self.assert_refused(self.gpctl("run", *submit), harness.JOB_FAILED, "the parameter 'colour' is missing")

    def test_build_fails_without_a_word(self):
        self.fails("build", submit=[self.plugin("bad_graph"), "--set", "mistakes=silent"])

    def test_cyclic_graph(self):
        submit = [self.plugin("bad_graph"), "--set", "mistakes=cycle"]
        self.fails("cycle", "first", "second", submit=submit)
        self.assert_refused(self.gpctl("run", *submit), harness.JOB_FAILED, "cycle")

    def test_all_mistakes_at_once(self):
        self.fails("cycle", "first", "third", "magic", "nowhere",
                   submit=[self.plugin("bad_graph"), "--set", "mistakes=cycle,duplicate,zero,partitioner,plugin"])

    def test_unknown_plugin_and_type(self):
        self.fails("nowhere", submit=[self.plugin("bad_graph"), "--set", "mistakes=plugin"])
        self.fails("drain", submit=[self.plugin("bad_graph"), "--set", "mistakes=type"])

    def test_without_waiting_mistakes_are_told_all_the_same(self):
        """The id is on stdout, the mistakes on stderr; --detach does not wait for them."""
        submit = [self.plugin("bad_graph"), "--set", "mistakes=cycle,zero"]
        result = self.cluster.gpctl("submit", *submit)
        self.assert_ends_with(result, harness.JOB_FAILED, "cycle", "third", "gpctl logs 1")
        self.assertEqual("1\n", result.out)
        result = self.cluster.gpctl("-o", "json", "submit", *submit)
        self.assertEqual((harness.JOB_FAILED, {"id": 2, "name": "bad_graph"}), (result.code, result.json))
        self.assertRegex(json.loads(result.err)["error"]["why"], "cycle")
        self.assertEqual("3\n", self.ok(self.cluster.gpctl("submit", *submit, "--detach")).out)
        self.assert_refused(self.cluster.gpctl("submit", *submit, "--detach", "--wait"), harness.USAGE, "--detach")

    def test_an_unreadable_parallelism(self):
        for number in ("0", "1000000", "-1", "4294967297", "two"):
            with self.subTest(number=number):
                self.refused(harness.USAGE, "from 1 to 65536", submit=[self.plugin("faulty"), "--parallelism",
                                                                       f"worker={number}"])

    def test_unknown_processor_in_parallelism(self):
        self.fails("nobody", submit=[self.plugin("faulty"), "--parallelism", "nobody=2"])

    def test_input_file_missing(self):
        submit = [self.example("wordcount"), "--set", "input=/nowhere.txt", "--set", f"output={self.folder('o')}"]
        self.fails(r"/nowhere\.txt", "No such file", submit=submit)
        self.assert_refused(self.gpctl("run", *submit), harness.JOB_FAILED, r"/nowhere\.txt")

    def test_output_folder_cannot_be_made(self):
        self.fails("/proc/nowhere", submit=[
            self.example("wordcount"), "--set", f"input={self.file('in.txt', 'a b')}", "--set", "output=/proc/nowhere"])

    def test_input_that_is_cut_while_it_is_read(self):
        """What was read is done; what is missing is told, with the place."""
        text = self.file("cut.txt", b"word\n" * 1000000)
        with open(text, "r+b") as file, concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(self.cluster.gpctl, "submit", self.example("wordcount"), "--set", f"input={text}",
                                  "--set", f"output={self.folder('o')}", "--set", "recovery.restarts=1", "--wait",
                                  timeout=harness.JOB_S)
            system.wait_until(lambda: self.cluster.json("list", "-a")["applications"], "it is there", harness.READY_S)
            file.truncate(5000)
            result = waiting.result()
        if result.code != harness.OK:  # it was faster
            self.assert_ends_with(result, harness.JOB_FAILED, r"cut\.txt")
        self.wait_until_free(self.cluster)

    def test_a_file_in_the_place_of_the_output_folder(self):
        text = self.file("in.txt", "a b")
        self.fails(r"a_file.*Not a directory", submit=[
            self.example("wordcount"), "--set", f"input={text}", "--set", f"output={self.file('a_file', '')}",
            "--set", "recovery.restarts=1"])

    def test_a_line_of_100_mib(self):
        text = self.file("long.txt", b"")
        with open(text, "wb") as file:
            file.write(b"small\n")
            file.truncate(100 << 20)
        self.fails(r"the line at offset 6 of '.*long\.txt' is longer than line\.max, 1048576 bytes", submit=[
            self.example("wordcount"), "--set", f"input={text}", "--set", f"output={self.folder('o')}", "--set",
            "recovery.restarts=1"])

    def test_callbacks_that_fail(self):
        for where in ("open", "poll", "process", "end"):
            with self.subTest(where=where):
                # At an early row, so that some are left for the task to fail at again.
                submit = [self.plugin("faulty"), "--set", "how=fail", "--set", f"where={where}",
                          "--set", "worker.row=3"]
                self.fails("told to fail", "numbers" if where == "poll" else "worker", submit=submit)
                self.assert_refused(self.gpctl("run", *submit), harness.JOB_FAILED, "told to fail")

    def test_a_rejected_row_is_counted_and_fails_nothing(self):
        report = self.cluster.json("submit", self.plugin("faulty"), "--set", "how=reject", "--set", "where=process",
                                   "--wait")
        worker = report["processors"][1]
        self.assertEqual(("finished", 999, 1), (report["state"], worker["in"], worker["rejected"]))
        self.assertIn("told to reject", self.ok(self.cluster.gpctl("logs", str(report["id"]))).out)


class Hanging(harness.Case):
    """User code that does not return."""

    def test_build(self):
        start_s = 2 * harness.FAILURE_S
        cluster = self.local(env={"GEARPUMP_TIMEOUTS__START": f"{start_s:g}s",
                                  "GEARPUMP_CLUSTER__FAILURE_TIMEOUT": f"{harness.FAILURE_S:g}s"})
        self.assert_job_failed(cluster, rf"its build\(\) did not return, twice: for {start_s:g} s", r"pid \d+ on worker \d+",
                               submit=[self.plugin("faulty"), "--set", "how=hang", "--set", "where=build"])
        self.wait_until_free(cluster)
        cluster.is_healthy()


class Interrupted(harness.Case):
    def test_who_waits_leaves_and_the_job_runs_on(self):
        cluster = self.local()
        argv = [self.built("bin/gpctl"), "--master", cluster.master, "submit", self.plugin("ticker"), "--wait"]
        waiting = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.env, cwd=self.work)
        system.wait_until(lambda: cluster.json("list")["applications"], "it is listed", harness.READY_S)
        waiting.send_signal(signal.SIGINT)
        _, err = waiting.communicate(timeout=harness.COMMAND_S)
        self.assertIn(waiting.returncode, (130, -signal.SIGINT), err)
        self.assertIn(b"the job runs on", err)
        self.assertIn(b"gpctl logs -f 1", err)
        cluster.wait_for_state(1, "running")


class BadRequest(BadJob):
    def test_the_same_file_from_many_at_once(self):
        with open(self.plugin("ticker"), "rb") as plugin:
            file = self.file("same.so", plugin.read() + bytes(8 << 20))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            results = list(pool.map(lambda i: self.cluster.gpctl("submit", file, "--name", f"same{i}"), range(4)))
        for result in results:
            self.ok(result)
        self.assertEqual(["1\n", "2\n", "3\n", "4\n"], sorted(result.out for result in results))
        for i in range(4):
            self.cluster.wait_for_state(f"same{i}", "running")
            self.ok(self.cluster.gpctl("kill", f"same{i}"))

    def test_parameters_that_are_none(self):
        for setting in ("", "=", "=value", "novalue"):
            with self.subTest(setting=setting):
                self.refused(harness.USAGE, "KEY=VALUE", submit=[self.plugin("faulty"), "--set", setting])

    def test_names_that_are_not_utf_8(self):
        broken = os.fsdecode(b"a\xff\xfe")
        self.refused(harness.USAGE, "cannot be the name", submit=[self.plugin("faulty"), "--name", broken])
        self.refused(harness.NOT_FOUND, r"\\xff", submit=[f"/nowhere/{broken}.so"])
        self.assert_refused(self.cluster.gpctl("describe", broken), harness.NOT_FOUND, r"\\xff")
        self.fails("No such file", submit=[self.example("wordcount"), "--set", f"input=/nowhere/{broken}", "--set",
                                           f"output={self.folder('o')}"])

    def test_unknown_name_or_id(self):
        for command in ("describe", "kill", "logs"):
            for app in ("nobody", "99", "99999999999999999999", "0", "-", "a/b", "x" * 64):
                with self.subTest(command=command, app=app):
                    result = self.cluster.gpctl(command, "--", app)
                    self.assertIn(result.code, (harness.NOT_FOUND, harness.USAGE), str(result))
                    self.assert_refused(result, result.code)
            self.assert_refused(self.cluster.gpctl(command, "nobody"), harness.NOT_FOUND, "nobody")
            self.assert_refused(self.cluster.gpctl(command, "99"), harness.NOT_FOUND, "99")

    def test_name_is_running_already(self):
        app = self.cluster.submit(self.plugin("ticker"), "--name", "mine")
        self.refused(harness.CONFLICT, "mine", submit=[self.plugin("faulty"), "--name", "mine"])
        self.ok(self.cluster.gpctl("kill", "mine"))
        self.assertLess(app, self.cluster.submit(self.plugin("faulty"), "--name", "mine"))

    def test_names_that_are_none(self):
        for name in ("", "with blank", "a/b", "x" * 64, "7", "é"):
            with self.subTest(name=name):
                result = self.cluster.gpctl("submit", self.plugin("faulty"), "--name", name)
                self.assertIn(result.code, (harness.USAGE, harness.FAILED), str(result))
                self.assert_refused(result, result.code)

    def test_not_enough_slots(self):
        submit = [self.plugin("ticker"), "--parallelism", "sink=1000", "--no-wait-for-slots"]
        self.fails("slots", "1001", submit=submit)

    def test_more_executors_than_workers_or_tasks_are_a_wish(self):
        for executors in ("3", "1000"):
            with self.subTest(executors=executors):
                self.ok(self.cluster.gpctl("submit", self.plugin("faulty"), "--executors", executors, "--wait",
                                           timeout=harness.JOB_S))

    def test_too_large_an_upload(self):
        shutil.copy(self.example("wordcount"), self.path("large.so"))
        with open(self.path("large.so"), "ab") as file:
            file.truncate(300 << 20)
        self.refused(harness.FAILED, "MiB|large", submit=[self.path("large.so")])

    def test_no_master_listening(self):
        nobody = f"127.0.0.1:{system.free_port()}"
        for command in (["list"], ["masters"], ["workers"], ["describe", "x"], ["kill", "x"], ["logs", "x"],
                        ["submit", self.plugin("faulty")]):
            with self.subTest(command=command):
                result = self.gpctl("--master", nobody, *command)
                self.assert_refused(result, harness.UNREACHABLE, nobody)
                self.assertLess(result.seconds, 5 * harness.SLOWNESS)


def occurrences(content, text):
    at = content.find(text)
    while at >= 0:
        yield at
        at = content.find(text, at + 1)


def loaded_end(content):
    """Behind the last byte that is loaded; what follows, debug information above all, can be missed."""
    (table,), (size, count) = struct.unpack_from("<Q", content, 32), struct.unpack_from("<HH", content, 54)
    headers = [struct.unpack_from("<IIQQQQ", content, table + i * size) for i in range(count)]
    return max(offset + in_file for kind, _, offset, _, _, in_file in headers if kind == 1)


def note_at(content):
    """Where the note's payload begins: behind its owner, padded to a multiple of four."""
    return content.index(b"Gearpump\0\0\0\0") + 12


if __name__ == "__main__":
    harness.main()
