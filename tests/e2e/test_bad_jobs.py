"""Jobs that cannot work: one clear error, the right exit code, and a cluster as healthy as before."""

import os
import shutil
import struct

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

    def test_unknown_processor_in_parallelism(self):
        self.fails("nobody", submit=[self.plugin("faulty"), "--parallelism", "nobody=2"])

    def test_input_file_missing(self):
        submit = [self.example("wordcount"), "--set", "input=/nowhere.txt", "--set", f"output={self.folder('o')}"]
        self.fails(r"/nowhere\.txt", "No such file", submit=submit)
        self.assert_refused(self.gpctl("run", *submit), harness.JOB_FAILED, r"/nowhere\.txt")

    def test_output_folder_cannot_be_made(self):
        self.fails("/proc/nowhere", submit=[
            self.example("wordcount"), "--set", f"input={self.file('in.txt', 'a b')}", "--set", "output=/proc/nowhere"])

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


class BadRequest(BadJob):
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
