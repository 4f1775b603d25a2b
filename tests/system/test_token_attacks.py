"""Forged and broken tokens of both kinds: all are refused, and none gets any
further than the gateway."""

import hashlib
import hmac
import json
import subprocess
import time
import unittest

from stack import PARTNER_ISSUER, Stack, Wallet, b64, request, unb64

# What the gateway asks KycService by itself: whose key it is, which keys sign.
OWN = {"AdminService/VerifyApiKey", "PartnerService/ListSigningKeys"}
ORDER = int("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
            16)


def b64_json(value):
    return b64(json.dumps(value).encode())


class Forge:
    """Makes tokens around the header and claims of a good one."""

    def __init__(self, stack, good, key_name):
        self.stack = stack
        self.key_name = key_name
        self.good = good
        head, claims, signature = good.split(".")
        self.head = json.loads(unb64(head))
        self.claims = json.loads(unb64(claims))
        self.parts = (head, claims, signature)

    def sign(self, head=None, claims=None, key_name=None):
        """As the issuer signs, whatever the members; None leaves one out."""
        def merged(base, changes):
            out = {**base, **(changes or {})}
            return {k: v for k, v in out.items() if v is not None}

        return self.sign_raw(
            json.dumps(merged(self.head, head)),
            json.dumps(merged(self.claims, claims)), key_name,
        )

    def sign_raw(self, head, claims, key_name=None):
        text = b64(head.encode()) + "." + b64(claims.encode())
        return text + "." + b64(
            self.stack.sign_text(text, key_name or self.key_name)
        )

    def attacks(self, public_texts):
        """(name, token) of each."""
        head, claims, signature = self.parts
        raw = unb64(signature)
        r, s = raw[:32], raw[32:]
        now = int(time.time())
        yield "garbage", "garbage"
        yield "dots", ".."
        yield "two parts", f"{head}.{claims}"
        yield "four parts", f"{self.good}.{signature}"
        yield "with a scheme", "Bearer " + self.good
        for alg in ("none", "None", "nOnE", "NONE", ""):
            changed = b64_json({**self.head, "alg": alg})
            yield f"alg {alg!r}, no signature", f"{changed}.{claims}."
            yield f"alg {alg!r}", f"{changed}.{claims}.{signature}"
        for alg in ("HS256", "HS384", "HS512"):
            for number, text in enumerate(public_texts):
                changed = b64_json({**self.head, "alg": alg})
                digest = hmac.new(text.encode(), f"{changed}.{claims}".encode(),
                                  getattr(hashlib, "sha" + alg[2:])).digest()
                yield (f"{alg} with public text {number}",
                       f"{changed}.{claims}.{b64(digest)}")
        for alg in ("RS256", "PS256", "ES384", "ES512", "ES256K", "EdDSA",
                    "es256", "ES256 "):
            yield f"signed as {alg}", self.sign({"alg": alg})
        yield "no alg", self.sign({"alg": None})
        yield "alg a list", self.sign({"alg": ["ES256"]})
        # Signatures.
        yield "empty signature", f"{head}.{claims}."
        yield "zero signature", f"{head}.{claims}.{b64(bytes(64))}"
        yield "r = 0", f"{head}.{claims}.{b64(bytes(32) + s)}"
        yield "s = 0", f"{head}.{claims}.{b64(r + bytes(32))}"
        yield "r and s exchanged", f"{head}.{claims}.{b64(s + r)}"
        yield "s = n", (f"{head}.{claims}."
                        + b64(r + ORDER.to_bytes(32, "big")))
        big = int.from_bytes(s, "big") + ORDER
        if big < 1 << 256:
            yield "s + n", f"{head}.{claims}.{b64(r + big.to_bytes(32, 'big'))}"
        yield "longer", f"{head}.{claims}.{b64(raw + bytes(1))}"
        yield "numbers of 33 bytes", (
            f"{head}.{claims}.{b64(bytes(1) + r + bytes(1) + s)}")
        yield "shorter", f"{head}.{claims}.{b64(raw[:-1])}"

        def integer(value):
            value = value.lstrip(b"\0")
            if value[0] & 0x80:
                value = b"\0" + value
            return b"\x02" + bytes([len(value)]) + value

        der = integer(r) + integer(s)
        yield "DER", (f"{head}.{claims}."
                      + b64(b"\x30" + bytes([len(der)]) + der))
        for at in (0, 20, 31, 32, 50, 63):
            other = bytearray(raw)
            other[at] ^= 1
            yield f"bit of byte {at}", f"{head}.{claims}.{b64(bytes(other))}"
        yield "other claims", (
            f"{head}.{b64_json({**self.claims, 'sub': 'usr_other'})}."
            + signature)
        yield "other header", (
            f"{b64_json({**self.head, 'x': 1})}.{claims}.{signature}")
        # One spelling.
        for more in ("=", "==", "A", "%3D"):
            yield f"with {more}", self.good + more
        yield "padded header", f"{head}=.{claims}.{signature}"
        alphabet = ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                    "0123456789-_")
        last = alphabet.index(signature[-1])
        yield "spare bits", (f"{head}.{claims}.{signature[:-1]}"
                             + alphabet[last ^ 1])
        classic = signature.replace("-", "+").replace("_", "/")
        if classic != signature:
            yield "classic base64", f"{head}.{claims}.{classic}"
        # Keys.
        for kid in ("", "nobody", "../../../etc/passwd", "/dev/null",
                    "http://127.0.0.1:1/k.json", "' OR '1'='1", "\u0000",
                    self.head["kid"] + " ", "x" * 2000):
            yield f"kid {kid[:20]!r}", self.sign({"kid": kid})
        for kid in (None, 1, [self.head["kid"]], {"a": 1}):
            yield f"kid {kid!r}", self.sign_raw(
                json.dumps({**self.head, "kid": kid}), json.dumps(self.claims))
        yield "stranger's key", self.sign(key_name="stranger.pem")
        for name, value in (
            ("jwk", {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
            ("jku", "http://127.0.0.1:1/jwks.json"),
            ("x5u", "http://127.0.0.1:1/cert.pem"),
            ("x5c", ["MIIB"]),
        ):
            yield f"brings {name}", self.sign({name: value},
                                              key_name="stranger.pem")
        # Header.
        for crit in (["exp"], ["b64"], [], None):
            yield f"crit {crit}", self.sign_raw(
                json.dumps({**self.head, "crit": crit}),
                json.dumps(self.claims))
        yield "b64 false", self.sign({"b64": False, "crit": ["b64"]})
        for kind in ("logout+jwt", "dpop+jwt", 1, ""):
            yield f"typ {kind!r}", self.sign({"typ": kind})
        # Times.
        for exp in (now - 61, now - 100_000, 0, -1, str(now + 600), True,
                    [now + 600], 1e300):
            yield f"exp {exp!r}", self.sign(None, {"exp": exp})
        yield "no exp", self.sign(None, {"exp": None})
        for name in ("nbf", "iat"):
            for value in (now + 300, str(now), [now]):
                yield f"{name} {value!r}", self.sign(None, {name: value})
        # Claims.
        for sub in ("", 7, ["u"], None, "a\nb", "a\u0000b", "x" * 300):
            yield f"sub {str(sub)[:10]!r}", self.sign(None, {"sub": sub})
        for claims_text in ("", "{", "[]", "null", '"x"', "7", "{}",
                            "[" * 3000 + "]" * 3000):
            yield f"claims {claims_text[:10]}", self.sign_raw(
                json.dumps(self.head), claims_text)
        good = json.dumps(self.claims)
        yield "sub twice", self.sign_raw(
            json.dumps(self.head), good[:-1] + ', "sub": "usr_2"}')
        yield "exp twice", self.sign_raw(
            json.dumps(self.head), good[:-1] + ', "exp": 9999999999}')
        yield "alg twice", self.sign_raw(
            json.dumps(self.head)[:-1] + ', "alg": "ES256"}', good)
        yield "huge", self.sign(None, {"x": "x" * 7000})


class TokenAttacks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack({
            "gateway": ["--user_jwt_issuer=https://login.example",
                        "--user_jwt_audience=app"],
        })
        cls.addClassCleanup(cls.stack.stop)
        cls.stack.new_signing_key("stranger.pem")
        cls.public_texts = []
        for name in ("user_key.pem", "partner_key.pem"):
            cls.public_texts.append(cls.public_pem(name))

    @classmethod
    def public_pem(cls, name):
        return subprocess.run(
            ["openssl", "pkey", "-pubout", "-in", cls.stack.path(name)],
            check=True, capture_output=True, text=True,
        ).stdout

    def rpcs(self):
        return {name: count for name, count in self.stack.rpcs().items()
                if name not in OWN}

    def attack(self, tokens, call, status, code):
        before = self.rpcs()
        count = 0
        for name, token in tokens:
            with self.subTest(name):
                answer = call(token)
                self.assertEqual(
                    (answer[0], answer[2]["error_code"]), (status, code),
                    answer[2],
                )
                count += 1
        self.assertEqual(self.rpcs(), before)
        return count

    def test_user_tokens(self):
        token = self.stack.mint("usr_1", iss="https://login.example",
                                aud="app")
        port = self.stack.port("gateway")

        def call(text):
            return request(port, "GET", "/v0/kyc/status",
                           {"x-juno-jwt": text})

        self.assertEqual(call(token)[0], 200)
        forge = Forge(self.stack, token, "user_key.pem")
        jwks = open(self.stack.path("jwks.json"), encoding="utf-8").read()

        def tokens():
            yield from forge.attacks([self.public_texts[0], jwks])
            for iss in (None, "https://login.example/", "x", 1, ["x"]):
                yield f"iss {iss!r}", forge.sign(None, {"iss": iss})
            for aud in (None, "", "other", [], ["other"], 1, [["app"]]):
                yield f"aud {aud!r}", forge.sign(None, {"aud": aud})

        count = self.attack(tokens(), call, 401, "USR-401-001")
        self.assertGreater(count, 90)
        self.assertEqual(call(token)[0], 200)

    def test_partner_tokens(self):
        stack = self.stack
        user = stack.user()
        # A user whose tokens this stack takes.
        user.token = stack.mint(user.sub, iss="https://login.example",
                                aud="app")
        partner = stack.partner()
        token = partner.consent(Wallet(user))["token"]
        path = f"/v0/users/{user.sub}/kyc"

        def call(text):
            return partner.get(path, text)

        # Nobody has verified the user, but the token was good.
        self.assertEqual(call(token)[2]["error_code"], "KYC-404-001")
        forge = Forge(stack, token, "partner_key.pem")
        self.assertEqual(forge.head["alg"], "ES256")
        self.assertEqual(forge.claims["iss"], PARTNER_ISSUER)
        self.assertEqual(forge.claims["aud"], partner.audience)
        self.assertEqual(call(forge.sign())[2]["error_code"], "KYC-404-001")
        jwks = json.dumps(request(
            stack.port("gateway"), "GET", "/v0/sis/.well-known/jwks.json"
        )[2])
        now = int(time.time())

        def tokens():
            yield from forge.attacks([self.public_texts[1], jwks])
            for iss in (None, PARTNER_ISSUER + "/", "x", 1, [PARTNER_ISSUER]):
                yield f"iss {iss!r}", forge.sign(None, {"iss": iss})
            for aud in (None, "", "other.example", [partner.audience], 1):
                yield f"aud {aud!r}", forge.sign(None, {"aud": aud})
            # No skew is forgiven here.
            yield "just expired", forge.sign(None, {"exp": now - 1})
            for name in ("jti", "pint_uri", "wallet", "scopes"):
                for value in (None, 1, "", {}):
                    yield f"{name} {value!r}", forge.sign(None, {name: value})
            yield "scopes in one text", forge.sign(
                None, {"scopes": "sr:us:pint:identity:kyc_read"})
            # A good token of the other kind.
            yield "a user's token", user.token

        count = self.attack(tokens(), call, 401, "PINT-401-004")
        self.assertGreater(count, 90)
        before = self.rpcs()
        for scopes in ([], ["sr:us:pint:identity:kyc_status"],
                       ["sr:us:pint:identity:kyc_read2"],
                       ["x?sr:us:pint:identity:kyc_read"]):
            answer = call(forge.sign(None, {"scopes": scopes}))
            self.assertEqual(answer[2]["error_code"], "PINT-403-003")
        self.assertEqual(self.rpcs(), before)
        # Signed well, but of a consent that is not there: the engine knows.
        for pint in ("sr:us:pint:" + "0" * 32, "sr:us:pint:x", "x"):
            answer = call(forge.sign(None, {"pint_uri": pint}))
            self.assertEqual(answer[2]["error_code"], "PINT-401-004")
        self.assertEqual(call(token)[2]["error_code"], "KYC-404-001")
        # Nor is it a user's.
        self.assertEqual(
            request(stack.port("gateway"), "GET", "/v0/kyc/status",
                    {"x-juno-jwt": token})[0], 401,
        )


if __name__ == "__main__":
    unittest.main()
