// Verifies tokens with aws-jwt-verify, and decides about events, for tools/bench. Reads a line of JSON for each request and
// writes one for each answer.
import { createInterface } from "node:readline";
import { CognitoJwtVerifier } from "aws-jwt-verify";
import { authorizer } from "./handler.mjs";

let verifier, handler, tokens, events;

const decide = async (event) => JSON.stringify(await handler(JSON.parse(event)));

const answer = {
  setup(request) {
    ({ tokens, events } = request);
    verifier = CognitoJwtVerifier.create({ userPoolId: request.userPoolId, clientId: request.clientId, tokenUse: "access" });
    verifier.cacheJwks(request.jwks);
    handler = authorizer(verifier, () => {});
  },
  verify({ token }) {
    verifier.verifySync(token);
  },
  async decide({ event }) {
    return { answer: await decide(event) };
  },
  async measure({ what, distinct, milliseconds }) {
    let count = 0;
    const start = process.hrtime.bigint();
    const end = start + BigInt(milliseconds * 1e6);
    let now = start;
    for (; now < end; now = process.hrtime.bigint()) {
      for (let i = 0; i < 50; i++, count++) {
        if (what === "decide") await decide(events[count % distinct]);
        else verifier.verifySync(tokens[count % distinct]);
      }
    }
    return { ns: Number(now - start) / count };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  try {
    console.log(JSON.stringify((await answer[request.do](request)) ?? {}));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.name}: ${error.message}` }));
  }
}
