/** Stops synchronous JavaScript that does not come to an end by itself. */
import vm from "node:vm";

const context = vm.createContext({ work: null });
const script = new vm.Script("work()");

export class TimeLimitExceeded extends Error {}

/** Runs `work`; throws TimeLimitExceeded if it has not returned after `seconds`. */
export function withTimeLimit(seconds, work) {
  context.work = work;
  try {
    return script.runInContext(context, { timeout: seconds * 1000 });
  } catch (error) {
    if (error?.code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    throw new TimeLimitExceeded(`Function execution timed out (maximum duration: ${seconds}s)`);
  } finally {
    context.work = null;
  }
}
