// Random PINTs, signed by ethers. Reads {"users", "each", "audience", "chainId"}
// from standard input; writes one JSON object a line:
//   {"user", "eoa", "safe", "body", "tampered": [body, …]}
// where the bodies are texts for POST /v0/sis/token/pint. A tampered one has
// one byte of the message or of the signature changed.
import { readFileSync } from "node:fs";
import { randomBytes, randomInt } from "node:crypto";
import { TypedDataEncoder, Wallet, getAddress, hexlify } from "ethers";

const { users, each, audience, chainId } = JSON.parse(readFileSync(0, "utf8"));

const ORDER =
  0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

function types(version) {
  const members = [
    ["address", "wallet"],
    ["uint256", "nonce"],
    ["string", "statement"],
    ["string[]", "scopes"],
    ["string[]", "resources"],
    ...(version === "3" ? [["string[]", "conditions"]] : []),
    ["uint256", "maxAmount"],
    ["address", "maxAmountToken"],
    ["uint256", "expiresAt"],
  ];
  return {
    PurchaseIntent: members.map(([type, name]) => ({ type, name })),
  };
}

const pick = (list) => list[randomInt(list.length)];
const list = (most, make) =>
  Array.from({ length: randomInt(most + 1) }, (_, i) => make(i));
const uint256 = () => BigInt(hexlify(randomBytes(1 + randomInt(32))));
const letters = ["a", "Z", " ", "\"", "\\", "é", "水", "😀", "\n", "<", "&"];
const text = (most) => list(most, () => pick(letters)).join("");
const address = () => getAddress(hexlify(randomBytes(20)));

// The nonces a wallet has signed: a second one would be refused as reused.
function message(safe, used) {
  const version = pick(["1", "1", "3"]);
  const seconds = BigInt(Math.floor(Date.now() / 1000) + 86400 + randomInt(1e8));
  let nonce = uint256();
  while (used.has(nonce)) nonce = uint256();
  used.add(nonce);
  const value = {
    wallet: safe,
    nonce,
    statement: text(200),
    scopes: [
      "sr:us:pint:identity:kyc_read" + pick(["", "?a=1", "?a=1&b=%20"]),
      ...list(2, (i) => `sr:us:pint:identity:kyc_read?more=${i}`),
    ],
    resources: list(3, () => text(40)),
    ...(version === "3" ? { conditions: list(3, () => text(40)) } : {}),
    maxAmount: uint256(),
    maxAmountToken: address(),
    expiresAt: version === "3" ? seconds * 1000n : seconds,
  };
  return { version, value };
}

// Numbers as JSON integers, as decimal texts, or with names in snake_case.
function render(value, signature) {
  const snake = randomInt(3) === 0;
  const quoted = randomInt(2) === 0;
  const rename = (name) =>
    snake ? name.replace(/[A-Z]/g, (c) => "_" + c.toLowerCase()) : name;
  const member = (v) =>
    typeof v === "bigint" ? (quoted ? `"${v}"` : `${v}`) : JSON.stringify(v);
  const pint = Object.entries(value)
    .map(([name, v]) => `"${rename(name)}":${member(v)}`)
    .join(",");
  return `{"pint":{${pint}},"signature":"${signature}","audience":${JSON.stringify(audience)}}`;
}

function flip(hex, at) {
  const digits = [...hex];
  digits[at] = (parseInt(digits[at], 16) ^ (1 << randomInt(4))).toString(16);
  return digits.join("");
}

// Every member of the message changed in turn, and every byte of the signature.
function tamper(value, signature) {
  const bodies = [];
  for (const [name, v] of Object.entries(value)) {
    const changes = [];
    if (typeof v === "bigint") changes.push(v ^ 1n, v ^ (1n << 64n));
    else if (Array.isArray(v)) {
      changes.push([...v, ""], [...v, v[0] ?? "x"]);
      if (v.length > 0) changes.push(v.slice(1));
      if (v.length > 1) changes.push([v[1], v[0], ...v.slice(2)]);
      // A scope of the catalogue all the same, so that it is the signature
      // that fails.
      if (name === "scopes") changes.splice(0, 2, [v[0] + "?", ...v.slice(1)]);
    } else if (name === "wallet") continue; // Another wallet is another user.
    else if (name === "maxAmountToken") changes.push(getAddress(flip(v.toLowerCase(), 7)));
    else {
      changes.push(v + "x");
      const units = [...v];
      for (const i of [0, units.length >> 1, units.length - 1]) {
        if (units.length === 0) continue;
        const other = [...units];
        other[i] = other[i] === "q" ? "r" : "q";
        changes.push(other.join(""));
      }
    }
    for (const change of changes) {
      bodies.push(render({ ...value, [name]: change }, signature));
    }
  }
  for (let at = 2; at < signature.length; at += 2) {
    bodies.push(render(value, flip(signature, at + randomInt(2))));
  }
  const s = BigInt("0x" + signature.slice(66, 130));
  const v = parseInt(signature.slice(130), 16);
  const high = (ORDER - s).toString(16).padStart(64, "0");
  const other = (v === 27 ? 28 : 27).toString(16);
  bodies.push(render(value, signature.slice(0, 66) + high + other));
  bodies.push(render(value, signature.slice(0, 130) + "1d"));
  return bodies;
}

for (let user = 0; user < users; ++user) {
  const wallet = Wallet.createRandom();
  const safe = address();
  const used = new Set();
  for (let i = 0; i < each; ++i) {
    const { version, value } = message(safe, used);
    const domain = {
      name: "Sumvin Purchase Intent",
      version,
      chainId,
      verifyingContract: safe,
    };
    const signature = await wallet.signTypedData(domain, types(version), value);
    // v as 0 or 1 now and then.
    const short =
      signature.slice(0, 130) +
      (parseInt(signature.slice(130), 16) - 27).toString(16).padStart(2, "0");
    const tampered = [];
    if (i === 0) {
      tampered.push(...tamper(value, signature));
      const elsewhere = { ...domain, chainId: chainId + 1 };
      tampered.push(
        render(value, await wallet.signTypedData(elsewhere, types(version), value)),
        render(value, await Wallet.createRandom().signTypedData(domain, types(version), value)),
      );
    }
    console.log(
      JSON.stringify({
        user,
        eoa: wallet.address,
        safe,
        digest: TypedDataEncoder.hash(domain, types(version), value),
        body: render(value, i % 4 === 0 ? short : signature),
        tampered,
      }),
    );
  }
}
