"""With the settings we ask for, the death of Redis loses nothing."""

import unittest

import losses


class Losses(unittest.TestCase):
    def measure(self, setting, machine):
        found = losses.measure(setting, machine, kills=1, seed=14, seconds=1.5)
        self.assertGreater(found.acknowledged, 0)
        return found

    def test_always_loses_nothing_even_with_its_machine(self):
        found = self.measure("`appendfsync always`", machine=True)
        self.assertEqual(found.lost, 0, found)

    def test_without_an_aof_it_would_show(self):
        found = self.measure("no AOF, no snapshot", machine=False)
        self.assertGreater(found.lost, 0, found)


if __name__ == "__main__":
    unittest.main()
