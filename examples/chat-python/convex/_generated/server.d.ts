/* Written by Parabola from the functions in this folder. Do not edit: it is overwritten. */
import type {
  ActionBuilder,
  GenericActionCtx,
  GenericDatabaseReader,
  GenericDatabaseWriter,
  GenericMutationCtx,
  GenericQueryCtx,
  HttpActionBuilder,
  MutationBuilder,
  QueryBuilder,
} from "convex/server";
import type { DataModel } from "./dataModel.js";

/** Define a function that reads the database and that clients may call and subscribe to. */
export declare const query: QueryBuilder<DataModel, "public">;
/** Define a query that only other functions may call. */
export declare const internalQuery: QueryBuilder<DataModel, "internal">;
/** Define a function that reads and writes the database in one transaction and that clients may call. */
export declare const mutation: MutationBuilder<DataModel, "public">;
/** Define a mutation that only other functions may call. */
export declare const internalMutation: MutationBuilder<DataModel, "internal">;
/** Define a function that may talk to the outside world and that clients may call. */
export declare const action: ActionBuilder<DataModel, "public">;
/** Define an action that only other functions may call. */
export declare const internalAction: ActionBuilder<DataModel, "internal">;
/** Define a function that answers an HTTP request. */
export declare const httpAction: HttpActionBuilder;
/** The deployment's environment variables. */
export declare const env: Record<string, string | undefined> & {
  CONVEX_CLOUD_URL: string;
  CONVEX_SITE_URL: string;
};

/** What a query's handler is given. */
export type QueryCtx = GenericQueryCtx<DataModel>;
/** What a mutation's handler is given. */
export type MutationCtx = GenericMutationCtx<DataModel>;
/** What an action's handler is given. */
export type ActionCtx = GenericActionCtx<DataModel>;
/** Read access to the database. */
export type DatabaseReader = GenericDatabaseReader<DataModel>;
/** Read and write access to the database. */
export type DatabaseWriter = GenericDatabaseWriter<DataModel>;
