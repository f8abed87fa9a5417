// Verifies the tokens of the corpus with aws-jwt-verify at the time of the corpus: reads the corpus, prints a list of
// errors, "" for a token that is accepted.
import { readFileSync } from "node:fs";
import { CognitoJwtVerifier } from "aws-jwt-verify";

const corpus = JSON.parse(readFileSync(process.argv[2], "utf8"));
const now = Date.parse(corpus.now);
Date.now = () => now;

const verifiers = {};
for (const [name, pools] of Object.entries(corpus.configs)) {
  verifiers[name] = CognitoJwtVerifier.create(
    pools.map(({ userPoolId, clientIds }) => ({ userPoolId, clientId: clientIds, tokenUse: "access" })),
  );
  for (const { userPoolId } of pools) verifiers[name].cacheJwks(corpus.jwks, userPoolId);
}
const errors = corpus.tokens.map(({ config, token }) => {
  try {
    verifiers[config].verifySync(token);
    return "";
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
});
console.log(JSON.stringify(errors));
