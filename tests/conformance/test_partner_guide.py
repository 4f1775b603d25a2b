"""The partner guide's examples and table rows as golden cases.

partner_guide.json holds the cases, in the form of test_platform_guide.py. Also:

  {"wallet": true}               the user registers an account and a Safe
  {"sign": {flag: value}}        the user signs a PINT (kycctl pint sign)
  "as": "partner"                the call has the partner's API key
  "key": "lookup,…"              one with these scopes; "none": none at all
  "token": "<token>"             and this as x-sumvin-pint-token
  "signed": true                 the body is what was signed

What <name> stands for may be used in paths and tokens, too.
"""

import json
import os
import re
import sys
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))

from stack import Stack, Wallet  # noqa: E402
from test_platform_guide import Case  # noqa: E402


class PartnerCase(Case):
    def __init__(self, test, stack, case):
        super().__init__(test, stack, case)
        self.partner = stack.partner(audience=f"{self.user.sub}.example")
        self.names["audience"] = self.partner.audience
        self.wallet = None
        self.signed = None

    def run(self):
        whole = self.case
        for number, step in enumerate(whole["steps"], 1):
            if "wallet" in step:
                self.wallet = Wallet(self.user)
                self.names["eoa"] = self.wallet.eoa
            elif "sign" in step:
                self.signed = self.wallet.sign(
                    self.partner.audience, **step["sign"]
                )
            else:
                self.case = {**whole, "steps": [step],
                             "name": f"{whole['name']} ({number})"}
                super().run()

    def fill(self, text, quoted):
        def value(found):
            known = str(self.names[found[1]])
            return urllib.parse.quote(known, safe="") if quoted else known

        return re.sub("<([a-z_0-9]+)>", value, text)

    def send(self, step, method, path, headers, body):
        path = self.fill(path, True)
        if step.get("as") != "partner":
            return super().send(step, method, path, headers, body)
        key = step.get("key")
        if key == "none":
            key = "nobody"
        elif key:
            key = self.partner.new_key(key)[1]
        token = step.get("token")
        if step.get("signed"):
            headers["content-type"] = "application/json"
            body = json.dumps(self.signed)
        return self.partner.call(
            method, path, None if token is None else self.fill(token, False),
            body=body, key=key, headers=headers, timeout=30,
        )


class PartnerGuide(unittest.TestCase):
    def test_every_case(self):
        with open(os.path.join(HERE, "partner_guide.json"),
                  encoding="utf-8") as file:
            cases = json.load(file)
        stack = Stack(flags={"kyc": ["--default_kyc_mode=document_only"]})
        self.addCleanup(stack.stop)
        for case in cases:
            with self.subTest(case["name"], seed=case["seed"]):
                try:
                    PartnerCase(self, stack, case).run()
                finally:
                    stack.fault("none")


if __name__ == "__main__":
    unittest.main()
