"""The harness notices what it promises to notice: shown with daemons that misbehave, written in shell."""

import os
import socket
import unittest

import harness
import protocol
import system

DAEMON = """#!/bin/sh
while [ "$1" != --ready-file ]; do shift; done
trap 'exit 0' TERM
%s
echo '{"master":"127.0.0.1:1"}' > "$2.new"
mv "$2.new" "$2"
while :; do sleep 0.01; done
"""


def problems_with(script="", test=lambda case: None):
    """What the harness says about a daemon that does this beside its work."""

    class Inner(harness.Case):
        def runTest(self):
            program = self.file("daemon.sh", DAEMON % script)
            os.chmod(program, 0o755)
            self.start("role", program=program).ready()
            test(self)

        def _show_logs(self):
            pass

    result = unittest.TestResult()
    Inner().run(result)
    return "\n".join(text for _, text in result.failures + result.errors)


class Harness(unittest.TestCase):
    def setUp(self):
        self.slow = harness.GONE_S
        harness.GONE_S = 0.3

    def tearDown(self):
        harness.GONE_S = self.slow

    def test_is_content_with_a_good_daemon(self):
        self.assertEqual("", problems_with())

    def test_notices_a_child_that_stays(self):
        self.assertIn("left running", problems_with("setsid sleep 1000 &"))
        self.assertEqual([], system.descendants(os.getpid()))

    def test_notices_a_child_whose_parents_are_gone(self):
        self.assertIn("left running", problems_with("(setsid sleep 1000 & exec true) &"))
        self.assertEqual([], system.descendants(os.getpid()))

    def test_notices_what_is_left_on_disk(self):
        self.assertIn("left in the temporary folder: it", problems_with(": > $TMPDIR/it"))

        def leave_socket(case):
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(case.path("run/it.sock"))

        self.assertIn("left: the socket run/it.sock", problems_with(test=leave_socket))

    def test_notices_alarming_output(self):
        self.assertIn("Assertion", problems_with("echo 'x.c:1: Assertion failed' >&2"))
        self.assertIn("Sanitizer", problems_with("echo '==1==ERROR: AddressSanitizer: x' >&2"))

    def test_notices_a_bad_end(self):
        self.assertIn("ended with 3", problems_with("trap 'exit 3' TERM"))

    def test_notices_wrong_counts(self):
        def miscount(case):
            text = case.file("text", "a b a")
            with open(os.path.join(case.folder("counts"), "part-0"), "w", encoding="ascii") as part:
                part.write("a\t1\nb\t1\n")
            case.assert_same_counts([text], case.path("counts"))

        self.assertIn("(b'a', 2, 1)", problems_with(test=miscount))

    def test_counts_as_coreutils_do(self):
        text = os.path.abspath(__file__)
        with open(text, "rb") as file:
            words = file.read().split()
        self.assertEqual({word: words.count(word) for word in words}, harness.words_by_coreutils([text]))

    def test_checksum_is_crc32c(self):
        self.assertEqual(0xE3069283, protocol.crc32c(b"123456789"))

    def test_finds_listeners(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.2", 0))
            self.assertEqual([], system.tcp_listeners(os.getpid()))
            listener.listen()
            self.assertEqual([listener.getsockname()], system.tcp_listeners(os.getpid()))


if __name__ == "__main__":
    harness.main()
