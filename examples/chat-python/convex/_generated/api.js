/* Written by Parabola from the functions in this folder. Do not edit: it is overwritten. */
import { anyApi } from "convex/server";

/** References to the public functions: `api.module.function`. */
export const api = anyApi;

/** References to every function that only other functions may call. */
export const internal = anyApi;
