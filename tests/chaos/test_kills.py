"""A short run of tests/chaos/run: whatever is killed, nothing is lost."""

import os
import unittest

from kills import EVERYTHING, VICTIMS, run_with_kills, summary

SEED = int(os.environ.get("KYC_CHAOS_SEED", "20260101"))


class Kills(unittest.TestCase):
    def test_sigkills_while_events_flow(self):
        wrong, figures, done = run_with_kills(
            SEED, users=100, events=1000, kills=3
        )
        self.assertEqual(wrong, [], f"seed {SEED}")
        self.assertEqual(figures["acknowledged"], figures["deliveries"])
        self.assertEqual(
            {kill.victim for kill in done}, {*VICTIMS, EVERYTHING}
        )
        for kill in done:
            self.assertLess(kill.applied_after, 75, "\n".join(summary(done)))


if __name__ == "__main__":
    unittest.main()
