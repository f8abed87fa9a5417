// The loop of a Lambda function, as small as can be: Lambda's own runtime for Node does the same and more. Requests go over
// one connection that is kept.
import { Agent, request } from "node:http";

const agent = new Agent({ keepAlive: true });
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");

function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const sent = request({ agent, host, port, method, path: `/2018-06-01/runtime/invocation/${path}` }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

export async function start(handler) {
  for (;;) {
    const { headers, body } = await ask("GET", "next");
    const id = headers["lambda-runtime-aws-request-id"];
    try {
      await ask("POST", `${id}/response`, JSON.stringify(await handler(JSON.parse(body))));
    } catch (error) {
      await ask("POST", `${id}/error`, JSON.stringify({ errorMessage: error.message, errorType: error.name }));
    }
  }
}
