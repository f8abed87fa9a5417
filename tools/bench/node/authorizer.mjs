// The authorizer as a function. Keys are fetched at the start.
import { get } from "node:http";
import { CognitoJwtVerifier } from "aws-jwt-verify";
import { SimpleJwksCache } from "aws-jwt-verify/jwk";
import { authorizer } from "./handler.mjs";
import { start } from "./runtime.mjs";

// The library fetches over HTTPS only; the keys here are served over HTTP, to Claimsmith as well.
const fetcher = {
  fetch: (uri) =>
    new Promise((resolve, reject) => {
      get(process.env.AWS_ENDPOINT_URL + new URL(uri).pathname, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => resolve(Buffer.concat(chunks)));
      }).on("error", reject);
    }),
};

const [{ userPoolId, clientIds }] = JSON.parse(process.env.CLAIMSMITH_USER_POOLS);
const verifier = CognitoJwtVerifier.create(
  { userPoolId, clientId: clientIds, tokenUse: "access" },
  { jwksCache: new SimpleJwksCache({ fetcher }) },
);
await verifier.hydrate();

await start(authorizer(verifier, console.log));
