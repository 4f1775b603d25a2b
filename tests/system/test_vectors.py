"""Signatures and tokens against implementations from npm that share no code
with the service: ethers signs PINTs, jose verifies tokens.

The packages are installed for the test, by exact version and integrity
(vectors/package-lock.json). Without npm the test fails.
"""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

from stack import PARTNER_ISSUER, Stack, Wallet, b64, unb64

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vectors")
USERS = 20
EACH = 50


class Vectors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="kyc-vectors-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        for name in os.listdir(VECTORS):
            if name != "node_modules":
                shutil.copy(os.path.join(VECTORS, name), cls.folder)
        for attempt in range(3):
            installed = subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=cls.folder, capture_output=True, text=True, timeout=300,
            )
            if installed.returncode == 0:
                break
        else:
            raise AssertionError("npm ci: " + installed.stderr[-2000:])
        cls.stack = Stack()
        cls.addClassCleanup(cls.stack.stop)

    def node(self, script, given):
        out = subprocess.run(
            ["node", script], cwd=self.folder, input=json.dumps(given),
            capture_output=True, text=True, timeout=600,
        )
        self.assertEqual(out.returncode, 0, out.stderr[-2000:])
        return [json.loads(line) for line in out.stdout.splitlines()]

    def test_pints_signed_by_ethers(self):
        partner = self.stack.partner()
        vectors = self.node("sign.mjs", {
            "users": USERS, "each": EACH, "audience": partner.audience,
            "chainId": 1329,
        })
        self.assertEqual(len(vectors), USERS * EACH)
        users, ids, tampered = {}, set(), 0

        def exchange(body):
            return partner.call(
                "POST", "/v0/sis/token/pint", body=body.encode(),
                headers={"content-type": "application/json"},
            )

        for vector in vectors:
            if vector["user"] not in users:
                user = users[vector["user"]] = self.stack.user()
                status, _, answer = user.post("/v0/user/", {
                    "primary_eoa_address": vector["eoa"],
                    "primary_smart_wallet_address": vector["safe"],
                    "chain_id": 1329,
                })
                self.assertEqual(status, 201, answer)
            # Before the good one, whose nonce is then used.
            for body in vector["tampered"]:
                status, _, answer = exchange(body)
                self.assertIn(
                    (status, answer["error_code"]),
                    ((401, "PINT-401-001"), (400, "PINT-400-001")), body,
                )
                tampered += 1
            status, _, answer = exchange(vector["body"])
            self.assertEqual(status, 200, (answer, vector["body"]))
            self.assertEqual(answer["sri"],
                             "sr:us:person:safe:" + vector["safe"])
            ids.add(answer["id"])
        self.assertEqual(len(ids), USERS * EACH)
        self.assertGreater(tampered, USERS * 80)

    def test_tokens_verified_by_jose(self):
        user = self.stack.user()
        wallet = Wallet(user)
        partner = self.stack.partner()
        port = self.stack.port("gateway")
        consents = [partner.consent(wallet) for _ in range(10)]
        given = {
            "jwks": f"http://127.0.0.1:{port}/v0/sis/.well-known/jwks.json",
            "issuer": PARTNER_ISSUER,
            "audience": partner.audience,
        }
        tokens = [one["token"] for one in consents]
        for consent, verified in zip(
            consents, self.node("verify.mjs", {**given, "tokens": tokens})
        ):
            payload = verified["payload"]
            self.assertEqual(verified["header"]["alg"], "ES256")
            self.assertTrue(verified["header"]["kid"])
            self.assertEqual(payload["sub"], consent["sri"])
            self.assertEqual(payload["exp"], consent["expires_at"])
            self.assertEqual(payload["pint_uri"], consent["id"])
            self.assertEqual(payload["scopes"], consent["scopes"])
            self.assertEqual(payload["wallet"].lower(), wallet.safe.lower())
            self.assertEqual(payload["kyc_status"], "none")
            self.assertEqual(payload["signer_type"], "user")
            self.assertEqual(payload["verification_tier"], "standard")
            self.assertTrue(payload["jti"])
            self.assertLessEqual(payload["iat"], payload["exp"])
        self.assertEqual(
            len({json.loads(unb64(one.split(".")[1]))["jti"]
                 for one in tokens}), 10,
        )
        # It does tell a bad one.
        head, claims, signature = tokens[0].split(".")
        forged = json.loads(unb64(claims))
        forged["sub"] = "sr:us:person:safe:0x" + "0" * 40
        bad = [f"{head}.{b64(json.dumps(forged).encode())}.{signature}",
               tokens[0][:-8] + "AAAAAAAA"]
        for answer in self.node("verify.mjs", {**given, "tokens": bad}):
            self.assertIn("error", answer)
        for changes in ({"audience": "other.example"},
                        {"issuer": "https://other.example"}):
            answer = self.node("verify.mjs",
                               {**given, **changes, "tokens": tokens[:1]})
            self.assertIn("error", answer[0])


if __name__ == "__main__":
    unittest.main()
