"""The model knows the rules, so that the chaos runs are judged by them."""

import itertools
import unittest

import model
from flow import audit_hash, check_trail, fits
from model import End, Step


class Model(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.table = model.read_table()

    def walk(self, *steps):
        return model.walk(self.table, steps)

    def test_the_table_is_whole(self):
        self.assertEqual(len(self.table), 12)
        for row in self.table.values():
            self.assertEqual(
                set(row),
                {"pending", "in_progress", "approved", "rejected", "retry"},
            )

    def test_order_of_arrival_says_nothing(self):
        steps = [
            Step("applicant_known", 1), Step("progress", 2),
            Step("retry_requested", 3, "Blurred."), Step("approved", 4),
            Step("rejected", 5, "Forged."),
        ]
        for order in itertools.permutations(steps):
            self.assertEqual(
                self.walk(*order), End("rejected", "Forged.", (5,))
            )

    def test_rank_repetition_and_progress(self):
        self.assertEqual(
            self.walk(Step("rejected", 5, "No."), Step("approved", 5)).state,
            "rejected",
        )
        self.assertEqual(
            self.walk(Step("approved", 1), Step("approved", 2),
                      Step("approved", 2)),
            End("approved", "", (1, 2)),
        )
        self.assertEqual(
            self.walk(Step("approved", 1), Step("reset", 2),
                      Step("approved", 3)).times,
            (3,),
        )
        retry = Step("retry_requested", 3, "Blurred.")
        self.assertEqual(self.walk(retry, Step("progress", 3)).state, "retry")
        self.assertEqual(
            self.walk(retry, Step("progress", 4)), End("in_progress", "", ())
        )

    def test_a_record_that_differs_does_not_fit(self):
        end = End("rejected", "Forged.", (5,))
        record = {"state": "rejected", "reject_reason": "Forged.",
                  "rejected_at": "1767225600005"}
        self.assertTrue(fits(record, end))
        for field, value in (("state", "retry"), ("reject_reason", "No."),
                             ("rejected_at", "1767225600006")):
            self.assertFalse(fits({**record, field: value}, end), field)
        self.assertTrue(fits({}, End("pending", "", ())))


class Trail(unittest.TestCase):
    def trail(self):
        head, entries = "", []
        for number, (start, end) in enumerate(
            [("pending", "in_progress"), ("in_progress", "approved")], 1
        ):
            fields = {
                "action": f"a{number}", "from": start, "to": end,
                "provider_type": "t", "level": "l",
                "provider_time_ms": str(number), "version": str(number),
            }
            head = audit_hash(head, "usr", fields.items())
            entries.append({**fields, "hash": head})
        return {"state": "approved", "v": "2", "audit_head": head}, entries

    def test_whole(self):
        self.assertEqual(check_trail("usr", *self.trail()), [])

    def test_every_change_is_seen(self):
        record, entries = self.trail()
        for number in range(2):
            for field in entries[number]:
                record, entries = self.trail()
                entries[number][field] += "x"
                self.assertTrue(check_trail("usr", record, entries), field)
        record, entries = self.trail()
        self.assertTrue(check_trail("usr", record, entries[:1]))
        self.assertTrue(check_trail("usr", record, entries[1:]))
        self.assertTrue(check_trail("other", record, entries))
        self.assertTrue(
            check_trail("usr", record, [entries[0], entries[0], entries[1]])
        )


if __name__ == "__main__":
    unittest.main()
