"""Small disks that can be filled: file systems in memory, of a size, at a folder of the test.

    disk = disks.Disk(path, size_kib)        # raises unittest.SkipTest where this is not allowed
    disk.fill(); disk.free(); disk.close()
"""

import os
import subprocess
import unittest


class Disk:
    def __init__(self, path, size_kib):
        self.path = path
        self.ballast = os.path.join(path, "ballast")
        os.makedirs(path)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "gearpump-test", path],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise unittest.SkipTest(f"no disks can be made here: {done.stdout.decode('utf-8', 'replace').strip()}")

    def fill(self):
        """Not one byte more."""
        with open(self.ballast, "ab", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass

    def free(self):
        if os.path.exists(self.ballast):
            os.remove(self.ballast)

    def remount(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)

    def close(self):
        """Whoever has files open there must have ended."""
        subprocess.run(["umount", self.path], stderr=subprocess.DEVNULL, check=False)
