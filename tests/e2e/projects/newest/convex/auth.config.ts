import type { AuthConfig } from "convex/server";

const here = process.env.CONVEX_CLOUD_URL!;

export default {
  providers: [
    {
      type: "customJwt",
      issuer: here,
      jwks: `${here}/.well-known/jwks.json`,
      algorithm: "ES256",
      applicationID: "ours",
    },
  ],
} satisfies AuthConfig;
