// Prints every value of a query, one line of JSON each, until it is killed.
import { ConvexClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";

const { DEPLOYMENT_URL, FUNCTION, ARGS } = process.env;
const client = new ConvexClient(DEPLOYMENT_URL);
client.onUpdate(makeFunctionReference(FUNCTION), JSON.parse(ARGS), (value) => console.log(JSON.stringify(value)));
