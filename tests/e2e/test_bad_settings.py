"""Configuration that cannot be: errors as file:line:column, from check-config and from every start alike."""

import os

import disks
import harness
import system

BAD = [
    # (text, line, column or None, what must be said)
    ("log:\n  levl: info\n", 2, 3, r"levl.*did you mean level"),
    ("logg:\n  level: info\n", 1, 1, r"logg.*did you mean log"),
    ("log:\n  level: loud\n", 2, None, r"level.*debug"),
    ("worker:\n  slots: many\n", 2, None, "slots"),
    ("worker:\n  slots: 0\n", 2, None, "slots"),
    ("worker:\n  slots: -1\n", 2, None, "slots"),
    ("worker: 7\n", 1, None, "worker"),
    ("cluster:\n  masters: {a: b}\n", 2, None, "masters"),
    ('cluster:\n  masters: ["a:1", "b:1", "a:1"]\n', 2, 27, "a:1 stands there already"),
    ("cluster:\n  masters: []\n", 2, None, "at least one"),
    ("data:\n  linger: 5 parsecs\n", 2, None, "linger"),
    ("data:\n  edge: carrier_pigeon\n", 2, None, "edge"),
    ("limits:\n  upload_bytes: 1KiB\n", 2, None, "upload_bytes"),
    ("log: {level: info\n", None, None, "bad.yaml"),
    ("log:\n\tlevel: info\n", 2, None, "tab|token"),
    ("- a\n- b\n", 1, None, "bad.yaml"),
    ("log:\n  level: info\nlog:\n  level: debug\n", 3, None, "log"),
    ("log:\n  level: info\n  level: info\n", 3, 3, "level"),
    ("worker:\n  slots: 1.5\n", 2, None, "slots"),
    ("worker:\n  slots: 100001\n", 2, None, "slots.*100000"),
    ("worker:\n  slots: 99999999999999999999999\n", 2, 10, "out of range"),
    ("worker:\n  slots: [1]\n", 2, None, "slots"),
    ("insecure: maybe\n", 1, None, "insecure"),
    ("bind: 7\n", 1, None, "bind"),
    ("http:\n  port: 65536\n", 2, None, "port.*65535"),
    ("data:\n  shm_bytes: 4 MiBs\n", 2, None, "shm_bytes"),
    ("worker: &a\n  slots: 1\n", 1, None, "anchor|alias"),
    ("log: " + "{a: " * 200 + "1" + "}" * 200 + "\n", 1, None, "deep|depth|level|nest"),
    ("log: " + "[" * 100000 + "\n", 1, None, "deep|depth|level|nest"),
]


class CheckConfig(harness.Case):
    def test_good_files(self):
        for text in ("", "# nothing\n", "log:\n  level: debug\n", 'cluster:\n  masters: ["10.0.0.1:3000", "b:1"]\n'):
            self.ok(self.gpd("check-config", self.file("good.yaml", text)))
        self.ok(self.gpd("check-config", os.path.join(harness.SOURCE, "conf/gearpump.yaml")))

    def test_each_mistake_has_its_place(self):
        for text, line, column, said in BAD:
            with self.subTest(text=text):
                file = self.file("bad.yaml", text)
                place = r"bad\.yaml" + (f":{line}" if line else r":\d+") + (f":{column}" if column else r":\d+")
                result = self.gpd("check-config", file)
                self.assertIn(result.code, (harness.FAILED, harness.USAGE), str(result))
                self.assert_refused(result, result.code, place, said)

    def test_ten_mebibytes(self):
        for text in ("# " + "x" * (10 << 20), "surplus: " + "x" * (10 << 20) + "\n", "a: 1\n" * (2 << 20)):
            result = self.gpd("check-config", self.file("huge.yaml", text))
            self.assertIn(result.code, (harness.FAILED, harness.USAGE), str(result))
            self.assert_refused(result, result.code, r"huge\.yaml", "more than 1048576 bytes")
            self.assertLess(len(result.err), 4096)

    def test_bytes_that_are_no_text(self):
        for text in (b"worker:\n  name: \xff\xfe\n", b"\xff\xfe\n", b"log:\n  lev\x00el: info\n"):
            with self.subTest(text=text):
                result = self.gpd("check-config", self.file("bytes.yaml", text))
                self.assertIn(result.code, (harness.FAILED, harness.USAGE), str(result))
                self.assert_refused(result, result.code, r"bytes\.yaml:[12]")

    def test_an_even_number_of_masters_is_a_warning(self):
        result = self.ok(self.gpd("check-config", self.file("two.yaml", 'cluster:\n  masters: ["a:1", "b:1"]\n')))
        self.assertRegex(result.err, r"two\.yaml:2:3: .*warning: 2 masters")

    def test_all_mistakes_at_once(self):
        file = self.file("bad.yaml", "log:\n  levl: info\nworker:\n  slots: 0\nsurplus: 1\n")
        result = self.gpd("check-config", file)
        for place in (r"bad\.yaml:2:", r"bad\.yaml:4:", r"bad\.yaml:5:"):
            self.assertRegex(result.err, place)

    def test_large_and_deep_files(self):
        for text, said in (("# " + "x" * (10 << 20), "more than 1048576 bytes"), ("log: " + "[" * 5000, "nested too deep"),
                           ("".join("  " * i + "a:\n" for i in range(500)), "nested too deep")):
            with self.subTest(said=said):
                result = self.gpd("check-config", self.file("bad.yaml", text))
                self.assert_refused(result, harness.USAGE, r"bad\.yaml:\d+:\d+", said)
                self.assertLess(result.seconds, 5 * harness.SLOWNESS)

    def test_files_that_cannot_be_read(self):
        self.assert_refused(self.gpd("check-config", "/nowhere.yaml"), harness.NOT_FOUND, r"/nowhere\.yaml")
        for file in (self.root, self.file("huge.yaml", "# " + "x" * (2 << 20)), self.file("binary.yaml", os.urandom(999))):
            result = self.gpd("check-config", file)
            self.assertIn(result.code, (harness.FAILED, harness.USAGE), str(result))
            self.assert_refused(result, result.code)


class Start(harness.Case):
    """No daemon starts with settings that are wrong, and none half."""

    def test_with_a_bad_file(self):
        file = self.file("bad.yaml", "worker:\n  slotz: 5\n")
        for role in ("local", "master", "worker"):
            with self.subTest(role=role):
                result = self.gpd(role, "--config", file)
                self.assertIn(result.code, (harness.FAILED, harness.USAGE), str(result))
                self.assert_refused(result, result.code, r"bad\.yaml:2:3", "slots")
        self.assertNotEqual(0, self.gpctl("--config", file, "list").code)

    def test_with_bad_environment(self):
        for name, value, said in (("GEARPUMP_LOG__LEVEL", "loud", "GEARPUMP_LOG__LEVEL|log.level"),
                                  ("GEARPUMP_WORKER__SLOTS", "0", "GEARPUMP_WORKER__SLOTS|worker.slots"),
                                  ("GEARPUMP_LOG__LEVL", "info", "levl|LEVL")):
            with self.subTest(name=name):
                result = self.gpd("local", "--port", "0", env={name: value})
                self.assertIn(result.code, (harness.FAILED, harness.USAGE), str(result))
                self.assert_refused(result, result.code, said)

    def test_environment_overrides_the_file_and_flags_override_both(self):
        file = self.file("c.yaml", "worker:\n  slots: 11\n")
        for arguments, env, slots in ((["--config", file], {}, 11),
                                      (["--config", file], {"GEARPUMP_WORKER__SLOTS": "12"}, 12),
                                      (["--config", file, "--slots", "13"], {"GEARPUMP_WORKER__SLOTS": "12"}, 13)):
            with self.subTest(slots=slots):
                cluster = self.local(*arguments, env=env)
                self.assertEqual(slots, cluster.json("workers")["workers"][0]["slots"])
                self.assertEqual(0, cluster.daemon.stop())

    def test_set_of_nothing(self):
        for value, said in (("", "KEY=VALUE"), ("=", "KEY=VALUE"), ("=7", "KEY=VALUE"), ("worker.slots", "KEY=VALUE"),
                            ("worker.slots=", "slots"), ("worker=", "worker"), (".=1", "unknown|key"),
                            ("worker.slotz=1", "did you mean slots"), ("." * 300 + "=1", "unknown|key|parts")):
            with self.subTest(value=value):
                self.assert_refused(self.gpd("local", "--port", "0", "--set", value), harness.USAGE, said)

    def test_names_that_are_no_text(self):
        for arguments in (("local", "--port", "0", "--set", "worker.name=\udcff"),
                          ("worker", "--name", "\udcff\udcfe"), ("local", "--port", "\udcff")):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.gpd(*arguments), harness.USAGE)

    def test_of_gpctl(self):
        file = self.file("bad.yaml", "log:\n  levl: info\n")
        for command in (("config",), ("list",), ("plugins",), ("validate", self.example("wordcount"))):
            with self.subTest(command=command):
                self.assert_refused(self.gpctl("--config", file, *command), harness.USAGE, r"bad\.yaml:2:3",
                                    "did you mean level")

    def test_beyond_this_machine_only_if_insecure(self):
        result = self.gpd("master", "--host", "0.0.0.0", "--port", "0")
        self.assertIn(result.code, (harness.FAILED, harness.USAGE, harness.NOT_ALLOWED), str(result))
        self.assert_refused(result, result.code, "insecure")
        data = self.folder("data")
        daemon = self.start("master", "--host", "0.0.0.0", "--port", "0", "--data", data,
                            env={"GEARPUMP_INSECURE": "true", "GEARPUMP_ADVERTISE": "127.0.0.1"})
        self.ok(self.gpctl("--master", daemon.ready()["master"], "masters"))

    def test_secret_files_that_are_none(self):
        short = self.file("short", "x" * 31)
        os.chmod(short, 0o600)
        open_to_all = self.file("open", "x" * 64)
        os.chmod(open_to_all, 0o644)
        for file, said in ((short, "short|bytes"), (open_to_all, "mode|permission|600|others"), (self.root, "gp-e2e")):
            with self.subTest(file=file):
                for result in (self.gpd("local", "--port", "0", env={"GEARPUMP_CLUSTER__SECRET_FILE": file}),
                               self.gpctl("--master", f"127.0.0.1:{system.free_port()}", "list",
                                          env={"GEARPUMP_CLUSTER__SECRET_FILE": file})):
                    self.assertNotEqual(harness.OK, result.code, str(result))
                    self.assert_refused(result, result.code, said)

    def test_port_in_use(self):
        cluster = self.local()
        port = cluster.master.rpartition(":")[2]
        result = self.gpd("local", "--port", port, "--data", self.folder("other"))
        self.assert_refused(result, harness.CONFLICT, port, "in use")
        self.ok(cluster.gpctl("list"))

    def test_data_folder_of_another_daemon(self):
        cluster = self.local()
        result = self.gpd("local", "--port", "0", "--data", self.path("data-0"))
        self.assertIn(result.code, (harness.FAILED, harness.CONFLICT), str(result))
        self.assert_refused(result, result.code, "data-0", "lock|use")
        cluster.is_healthy()
        self.assertEqual(0, cluster.daemon.stop())
        again = self.start("local", "--port", "0", "--data", self.path("data-0"))
        again.ready()

    def disk(self, name, size_kib=4096):
        disk = disks.Disk(self.path(name), size_kib)
        self.addCleanup(disk.close)
        return disk

    def refused_for_its_data(self, folder, *said):
        result = self.gpd("local", "--port", "0", "--data", folder)
        self.assertNotEqual(harness.OK, result.code)
        self.assert_refused(result, result.code, "hint: --data a folder on a disk with room", *said)

    def test_data_folder_on_a_full_disk(self):
        disk = self.disk("full", 64)
        disk.fill()
        self.refused_for_its_data(os.path.join(disk.path, "below"), "full/below", "No space left")
        disk.free()

    def test_data_folder_that_is_read_only(self):
        disk = self.disk("read-only")
        disk.remount("ro")
        self.refused_for_its_data(disk.path, "read-only", "Read-only file system")

    def test_data_folder_that_lets_nothing_run(self):
        """The daemon starts, for masters need no more; a job says why none can run there."""
        disk = self.disk("noexec", 65536)
        disk.remount("noexec")
        daemon = self.start("local", "--port", "0", "--workers", "1", "--data", os.path.join(disk.path, "data"))
        cluster = harness.Cluster(self, daemon, daemon.ready()["master"])
        self.assert_job_failed(cluster, "mounted noexec: give the worker a --data folder elsewhere",
                               submit=[self.plugin("faulty")])
        self.assertEqual(0, daemon.stop())

    def test_data_folder_that_cannot_be(self):
        result = self.gpd("local", "--port", "0", "--data", self.file("a_file", "") + "/below")
        self.assertNotEqual(harness.OK, result.code)
        self.assert_refused(result, result.code, "a_file")


if __name__ == "__main__":
    harness.main()
