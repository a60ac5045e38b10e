"""examples/quickstart.sh does what it promises, from a copy of the sources, and leaves nothing but its build."""

import os
import re
import shutil

import harness

QUICKSTART_S = 240.0


class Quickstart(harness.Case):
    def setUp(self):
        super().setUp()
        self.clone = self.path("clone")
        shutil.copytree(harness.SOURCE, self.clone, symlinks=True,
                        ignore=lambda folder, names: [n for n in names if n == ".git" or n.startswith("build")
                                                      and folder == harness.SOURCE])
        self.script = os.path.join(self.clone, "examples/quickstart.sh")
        # As on a machine without a session of its own.
        del self.env["XDG_RUNTIME_DIR"]
        for name in ("CCACHE_DIR", "CMAKE_C_COMPILER_LAUNCHER"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def test_counts_the_words_of_files(self):
        first = self.file("first text.txt", "to be or not to be\n")
        second = self.file("second.txt", "be that as it may\n")
        result = self.ok(self.execute(["sh", self.script, first, second], timeout=QUICKSTART_S))
        counted = re.findall(r"(?m)^\s*(\d+)\s+(\S+)$", result.out)
        self.assertEqual([("3", "be"), ("2", "to")], counted[:2])
        self.assertEqual(8, len(counted))
        for step in ("build", "cluster", "WordCount"):
            self.assertRegex(result.out, rf"(?m){step}.*\d+ ms$")
        self.again_with_the_default()
        self.a_file_that_is_missing()
        home = [os.path.join(folder, name) for folder, _, names in os.walk(self.env["HOME"]) for name in names
                if "ccache" not in folder]
        self.assertEqual([], home)

    def again_with_the_default(self):
        result = self.ok(self.execute(["sh", self.script], timeout=QUICKSTART_S))
        counts = harness.words_by_coreutils(["/usr/share/common-licenses"])
        top = sorted(((-n, w) for w, n in counts.items()))[:10]
        counted = re.findall(r"(?m)^\s*(\d+)\s+(\S+)$", result.out)[:10]
        self.assertEqual([(str(-n), w.decode()) for n, w in top], counted)

    def a_file_that_is_missing(self):
        result = self.execute(["sh", self.script, "/nowhere.txt"], timeout=harness.COMMAND_S)
        self.assertEqual(1, result.code)
        self.assertIn("/nowhere.txt", result.err)


if __name__ == "__main__":
    harness.main()
