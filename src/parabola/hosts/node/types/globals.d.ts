/** Globals that hosted code finds, where it runs on the default runtime (realm/core.js). */
declare const Convex: {
  syscall(op: string, args: string): string;
  asyncSyscall(op: string, args: string): Promise<string>;
};
