// Whom the deployment believes: the variables AUTH_ISSUER and AUTH_JWKS name the issuer and its keys.
import type { AuthConfig } from "convex/server";

export default {
  providers: [
    {
      type: "customJwt",
      issuer: process.env.AUTH_ISSUER!,
      jwks: process.env.AUTH_JWKS!,
      algorithm: "RS256",
      applicationID: "chat",
    },
  ],
} satisfies AuthConfig;
