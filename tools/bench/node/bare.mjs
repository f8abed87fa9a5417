// A function that does nothing: what Node itself costs.
import { start } from "./runtime.mjs";

await start(async () => ({ isAuthorized: true }));
