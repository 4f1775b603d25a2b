// Verifies tokens by jose, which fetches the keys itself. Reads {"jwks",
// "issuer", "audience", "tokens"} from standard input; writes for each token a
// line {"payload", "header"} or {"error"}.
import { readFileSync } from "node:fs";
import { createRemoteJWKSet, jwtVerify } from "jose";

const { jwks, issuer, audience, tokens } = JSON.parse(readFileSync(0, "utf8"));
const keys = createRemoteJWKSet(new URL(jwks));
for (const token of tokens) {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms: ["ES256"],
    });
    console.log(JSON.stringify({ payload, header: protectedHeader }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.code ?? String(error) }));
  }
}
