/** What the host and the scripts of a realm (`realm/*.js`) give each other. Types alone: not in the package. */
import type { Level, Raised, UserValue } from "./protocol";

/** Work of the host outside of user code; its end is delivered to user code as a step. */
export interface HostOperation {
  finish(deliver: () => void): void;
}

export type Settle<T> = (value: T) => void;
/** What a function of the host may answer in place of a value of its own kind. */
export type OrRaised<T> = T | Raised;

/** What the globals of a realm ask of the host. Answers are primitives, or descriptions of failures. */
export interface RealmHost {
  now(): OrRaised<number>;
  performanceNow(): OrRaised<number>;
  timeOrigin(): OrRaised<number>;
  random(): OrRaised<number>;
  randomFill(bytes: Uint8Array): OrRaised<void>;
  env(name: string): OrRaised<string | undefined>;
  log(level: Level, messages: ArrayLike<UserValue>): void;
  syscall(count: number, op: UserValue, args: UserValue): OrRaised<string>;
  asyncSyscall(count: number, op: UserValue, args: UserValue, resolve: Settle<string>, reject: Settle<Raised>): void;
  /** The text of a function as its author knows it. */
  textOf(text: string): string;
  unknownJsSyscall(op: string): Raised;
  fatal(message: string): Raised;
  refusal(what: string): Raised | undefined;
  timerRefusal(what: string): Raised | undefined;
  fetch(input: UserValue, init: UserValue, resolve: Settle<Response>, reject: Settle<unknown>): void;
  storeBlob(args: string, blob: Blob, resolve: Settle<UserValue>, reject: Settle<Raised>): void;
  getBlob(args: string, resolve: Settle<Blob | null>, reject: Settle<Raised>): void;
  makeRequest(json: string): Request;
  takeResponse(response: Response): string | null;
  wholeBodyBytes(): number;
  setTimer(callback: () => void, delay: number, repeat: boolean): number;
  clearTimer(id: number): void;
  beginOperation(name: string, isCounted: boolean): HostOperation;
  formatStack(error: unknown, callSites: NodeJS.CallSite[]): string;
  traceFrames(holder: Error, stack: unknown): string;
}

/** A class whose shape does not matter: a face, or what is behind one. */
export type Class = (new (...args: any[]) => any) & { [name: string]: any };

/** A function that user code calls as it likes. */
export type UserFunction = (this: any, ...args: any[]) => any;

/** What the scripts of a realm share, and by what the host acts inside it. */
export interface RealmApi {
  // core.js
  install(name: string, value: UserFunction | object, target?: object): boolean;
  makeError(type: string, message: string): Error;
  /** The text of a function as it is run. */
  textOf(target: Function): string;
  raise(failure: Raised): Error;
  answer<T>(result: OrRaised<T>): T;
  call(target: Function, ...args: unknown[]): UserValue;
  settle(
    target: UserValue,
    method: string,
    args: unknown[],
    onFulfilled: (value: UserValue) => void,
    onRejected: (reason: UserValue) => void,
  ): void;
  rejected(message: string): Promise<never>;
  metaAccess(): never;
  poisonMeta(meta: object): void;
  importer(load: (specifier: string) => UserValue): (specifier: UserValue) => Promise<UserValue>;
  callFactory(
    make: Function,
    scope: object | undefined,
    values: UserValue[],
    importer: (specifier: UserValue) => Promise<UserValue>,
    register: Register | undefined,
    watch: (object: unknown) => void,
  ): UserValue;
  advance(generator: UserValue): UserValue;
  liveScope(names: string[], read: (index: number) => UserValue): object;
  namespace(names: string[], live: boolean[], read: (index: number) => UserValue): object;
  promisePrototype: object;
  noteParts(value: boolean): void;
  partsOf(object: object): UserValue[] | undefined;
  watch(object: unknown): void;
  watchEntry?(collection: UserValue, key: UserValue): void;
  traces: (() => boolean)[];
  resets: (() => void)[];
  reset(): void;
  faces: { [name: string]: any };
  hiddenRoots(): object[];
  // timers.js
  startTimer(what: string, callback: () => void, delay: UserValue): number;
  // web.js
  notImplemented(what: string, name: string): never;
  refuse(what: string): void;
  fetch(input: UserValue, init: UserValue): Promise<UserValue>;
  Request: Class;
  Response: Class;
  Blob: Class;
  DOMException: Class;
  bodyLengths: WeakMap<object, number>;
  // js_syscalls.js
  jsSyscall(op: string, input: UserValue): UserValue;
}

/** crossing.js */
export interface Crossing {
  wrap(value: any): UserValue;
  unwrap(value: UserValue): any;
  unwrapCallback(callback: Function): Function;
  link<F extends object>(face: F, object: object): F;
  behind: WeakMap<object, any>;
  handlers: Map<object, (value: any, proto: object) => UserValue>;
  follow(promise: Promise<any>, name: string, isCounted?: boolean): Promise<UserValue>;
  guard(work: () => any): UserValue;
  isObject(value: unknown): boolean;
}

export interface FacadeOptions {
  parent?: Class;
  passive?: PropertyKey[];
  refused?: PropertyKey[];
  settled?: PropertyKey[];
  prepare?: (args: UserValue[]) => UserValue[];
  onConstruct?: (face: object, args: UserValue[]) => void;
  isAbstract?: boolean;
}

/** facades.js */
export interface Facades {
  facade(name: string, Outer: Class, options?: FacadeOptions): Class;
  notImplemented(what: string, name: string): never;
}

/** comparison.js */
export interface Comparisons {
  /** Whether properties of objects have the values that they had, by the keys of each. */
  make(objects: object[], keys: PropertyKey[][], values: unknown[][]): () => boolean;
  /** Lets V8 keep the properties of an object in the way that is quick to read. */
  makeFast(object: object): void;
}

/** A part of a realm, and what is compared of it. */
export interface PristinePart {
  /** Objects by their numbers. */
  objects: number[];
  /** Those without enumerable properties, after one that takes none, so that to assign the others to it throws where one has got one. */
  bare: object[];
  /** The numbers of all others. */
  filled: number[];
  /** Objects, each with a key that must be there, since without it the value might be the same. */
  owned: UserValue[];
  areValuesSame: () => boolean;
}

/** pristine.js */
export interface Pristine {
  /** Records everything: objects of the language that no global leads to, and all classes of web interfaces. */
  take(hidden: object[], faces: { [name: string]: any }): void;
  /** Whether everything, or a part, is as it was. */
  isPristine(part?: PristinePart): boolean;
  /** The part of the realm that code can reach which uses these globals; undefined for everything. */
  within(globals: string[]): PristinePart | undefined;
  restore(): boolean;
  /** Notices that an object may have been changed in a way that no comparison shows. */
  watch(object: unknown): void;
  /** Notices an entry of a weak collection. */
  watchEntry(collection: UserValue, key: UserValue): void;
  /** Whether an object belongs to the realm itself. */
  isRecorded(object: object): boolean;
  /** Whether an object would have a property without its own. */
  inherits(object: object, key: PropertyKey): boolean;
  /** Notes functions that get a property by definition, such as another name; what it gives ends that and tells which. */
  noteRedefined(): () => (target: object) => boolean;
  /** Watches over other objects too, from now on. */
  watchAlso(objects: Set<object> | null): void;
  /** Whether one of those was given a property in a way that no comparison shows. */
  readonly touchedOthers: boolean;
  /** Whether an object may have a prototype that does not tell its kind. */
  reparented: boolean;
}

/** The variables of a scope that outlive its code: how many of them may be assigned, the first ones. */
export interface Variables {
  read: () => UserValue[];
  assigned: number;
}
/** What modules call that are to be kept, whenever such a scope comes to be. */
export type Register = (read: () => UserValue[], assigned: number) => void;

/** kept_state.js */
export interface KeptState {
  isSame(): boolean;
}
export interface KeptStates {
  /**
   * What the modules are now that have told of their variables; null where that cannot be told. Functions that are redefined
   * are made fast again.
   */
  take(told: Variables[], isRedefined: (target: object) => boolean): KeptState | null;
}
export interface Kinds {
  isProxy(object: object): boolean;
  isMap(object: object): boolean;
  isSet(object: object): boolean;
  isRegExp(object: object): boolean;
  isDate(object: object): boolean;
  /** Whether it is a weak map or a weak set. */
  isWeak(object: object): boolean;
  isTypedArray(object: object): boolean;
  isArrayBuffer(object: object): boolean;
  /** Whether it is of a kind whose state cannot be read without changing it, or that is not compared. */
  hasState(object: object): boolean;
}

/** The host's own objects (`web_interfaces.mjs`) by which crossing.js recognizes values of the host. */
export type Outer = typeof import("../web_interfaces.mjs").outer;
/** The host's classes that the realm has faces of. */
export type Interfaces = { [name: string]: any };

export type Inspect = (value: unknown) => string;

/** The scripts of a realm: what each is given, and gives. */
export interface Parts {
  core(host: RealmHost): RealmApi;
  inspect(): Inspect;
  console(host: RealmHost, api: RealmApi, inspect: Inspect): void;
  timers(host: RealmHost, api: RealmApi): void;
  crossing(host: RealmHost, outer: Outer): Crossing;
  facades(host: RealmHost, api: RealmApi, crossing: Crossing, outer: Outer): Facades;
  web(host: RealmHost, api: RealmApi, crossing: Crossing, facades: Facades, outer: Interfaces): void;
  crypto(host: RealmHost, api: RealmApi, crossing: Crossing, facades: Facades, outer: Interfaces): void;
  performance(host: RealmHost, api: RealmApi): void;
  structured_clone(host: RealmHost, api: RealmApi, crossing: Crossing): void;
  js_syscalls(host: RealmHost, api: RealmApi, crossing: Crossing): void;
  comparison(compile: (text: string) => UserValue): Comparisons;
  pristine(
    compile: (makeSource: () => string) => UserValue,
    comparisons: Comparisons,
    isProxy: Kinds["isProxy"],
  ): Pristine;
  kept_state(
    isModuleText: (text: string) => boolean,
    api: RealmApi,
    pristine: Pristine,
    behind: (object: object) => object | undefined,
    kinds: Kinds,
    comparisons: Comparisons,
  ): KeptStates;
}
