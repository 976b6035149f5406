import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

const optionalText = v.optional(v.union(v.null(), v.string()));
const optionalNumber = v.optional(v.union(v.null(), v.number()));

/** What the package's own command writes for the options of this app, and an index more. */
export default defineSchema({
  user: defineTable({
    name: v.string(),
    email: v.string(),
    emailVerified: v.boolean(),
    image: optionalText,
    createdAt: v.number(),
    updatedAt: v.number(),
    userId: optionalText,
  })
    .index("email_name", ["email", "name"])
    .index("name", ["name"])
    .index("userId", ["userId"]),
  session: defineTable({
    expiresAt: v.number(),
    token: v.string(),
    createdAt: v.number(),
    updatedAt: v.number(),
    ipAddress: optionalText,
    userAgent: optionalText,
    userId: v.string(),
  })
    .index("expiresAt", ["expiresAt"])
    .index("expiresAt_userId", ["expiresAt", "userId"])
    .index("token", ["token"])
    .index("userId", ["userId"]),
  account: defineTable({
    accountId: v.string(),
    providerId: v.string(),
    userId: v.string(),
    accessToken: optionalText,
    refreshToken: optionalText,
    idToken: optionalText,
    accessTokenExpiresAt: optionalNumber,
    refreshTokenExpiresAt: optionalNumber,
    scope: optionalText,
    password: optionalText,
    createdAt: v.number(),
    updatedAt: v.number(),
  })
    .index("accountId", ["accountId"])
    .index("accountId_providerId", ["accountId", "providerId"])
    .index("providerId_userId", ["providerId", "userId"])
    .index("userId", ["userId"]),
  verification: defineTable({
    identifier: v.string(),
    value: v.string(),
    expiresAt: v.number(),
    createdAt: v.number(),
    updatedAt: v.number(),
  })
    .index("expiresAt", ["expiresAt"])
    .index("identifier", ["identifier"]),
  jwks: defineTable({
    publicKey: v.string(),
    privateKey: v.string(),
    createdAt: v.number(),
    expiresAt: optionalNumber,
  }),
});
