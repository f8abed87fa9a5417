// An authorizer as one writes it with aws-jwt-verify: the rules of policy.yaml are code.
export const authorizer = (verifier, log) => async (event) => {
  let claims;
  try {
    claims = await verifier.verify(event.headers.authorization.replace(/^Bearer /, ""));
  } catch (error) {
    return { isAuthorized: false };
  }
  const isAuthorized =
    claims.scope.split(" ").includes("documents/read") &&
    claims.company_id === event.pathParameters.id &&
    claims.compliance_level === "high";
  log(JSON.stringify({ time: new Date(), level: "INFO", message: "decision", routeKey: event.routeKey, isAuthorized }));
  return { isAuthorized, context: { claims } };
};
