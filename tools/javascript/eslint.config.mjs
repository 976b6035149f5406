/**
 * The rules for hand-written JavaScript: `npm run lint`, from the root of the repository.
 *
 * The TypeScript of test apps and examples is formatted and not linted: it is what users write, oddities included.
 */
import js from "@eslint/js";
import { importX } from "eslint-plugin-import-x";
import globals from "globals";
import tseslint from "typescript-eslint";

const HOST = "src/parabola/hosts/node";

/**
 * The floors of the host, from above. An import only points down, or to the same floor; nothing imports what a realm
 * evaluates (`realm/`, `repl/`).
 */
const FLOORS = [
  ["main.*"],
  ["*_host.mjs"],
  ["analysis/*", "{realm_pool,node_globals,action_calm}.mjs"],
  ["executions/*", "realm.*"],
  ["deployment.*"],
  ["modules/*"],
  ["realm/*", "repl/*"],
];
const allFloors = FLOORS.flat();
const onHost = (names) => names.map((name) => `./${HOST}/${name}`);
const upwards = FLOORS.slice(1).map((floor, i) => ({
  target: onHost(floor),
  from: onHost(FLOORS.slice(0, i + 1).flat()),
  message: "An import of the host only points down (FLOORS in eslint.config.mjs).",
}));
/** What is on no floor is below all of them. */
const fromTheGround = {
  target: `./${HOST}/!(main|*_host|realm_pool|node_globals|action_calm|realm|deployment).mjs`,
  from: onHost(allFloors),
  message: "What all floors stand on imports none of them (FLOORS in eslint.config.mjs).",
};

export default [
  {
    ignores: [
      "**/node_modules/",
      "src/parabola/dashboard/static/",
      "**/_generated/",
      "**/dist/",
      ".venv/",
      ".test-all/",
      "**/*.ts",
      "**/*.tsx",
    ],
  },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024 },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      "block-scoped-var": "error",
      "default-case-last": "error",
      eqeqeq: "error",
      "no-array-constructor": "error",
      "no-constructor-return": "error",
      "no-eval": "error",
      "no-implicit-coercion": "error",
      "no-implied-eval": "error",
      "no-lonely-if": "error",
      "no-new-func": "error",
      "no-new-wrappers": "error",
      "no-self-compare": "error",
      "no-sequences": "error",
      "no-shadow": ["error", { hoist: "all" }],
      "no-template-curly-in-string": "error",
      "no-throw-literal": "error",
      "no-unneeded-ternary": "error",
      "no-unused-expressions": "error",
      "no-unused-vars": ["error", { args: "all", argsIgnorePattern: "^_", caughtErrors: "all" }],
      "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
      "no-useless-call": "error",
      "no-useless-concat": "error",
      "no-useless-rename": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "one-var": ["error", "never"],
      // A function that user code gets to see has a name, and whoever gives it one means it.
      "prefer-arrow-callback": ["error", { allowNamedFunctions: true }],
      "prefer-const": "error",
      "prefer-exponentiation-operator": "error",
      "prefer-numeric-literals": "error",
      "prefer-object-has-own": "error",
      "prefer-object-spread": "error",
      "prefer-promise-reject-errors": "error",
      "prefer-rest-params": "error",
      "prefer-spread": "error",
      radix: "error",
      yoda: "error",
    },
  },
  {
    files: ["**/*.mjs"],
    plugins: { "import-x": importX },
    languageOptions: { sourceType: "module", globals: globals.node },
    rules: {
      "import-x/first": "error",
      "import-x/no-cycle": "error",
      "import-x/no-duplicates": "error",
      "import-x/no-mutable-exports": "error",
      "import-x/no-self-import": "error",
    },
  },
  {
    files: [`${HOST}/**/*.mjs`],
    plugins: { "@typescript-eslint": tseslint.plugin },
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { project: "./tools/javascript/tsconfig.json" },
    },
    rules: {
      "import-x/no-restricted-paths": ["error", { basePath: ".", zones: [...upwards, fromTheGround] }],
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/no-array-delete": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-for-in-array": "error",
      "@typescript-eslint/no-misused-promises": "error",
    },
  },
  {
    // Scripts that are run inside a realm, where there is what ECMAScript has and what the scripts before have put there.
    files: [`${HOST}/realm/*.js`],
    languageOptions: { sourceType: "script", globals: { WebAssembly: "readonly" } },
    rules: {
      // What the log escapes are control characters.
      "no-control-regex": "off",
      // The value of the script is its function.
      "no-unused-expressions": "off",
      // A method cannot be constructed, and a function that gets its name from an object's key can.
      "object-shorthand": ["error", "properties"],
    },
  },
  {
    // Modules that are evaluated inside a realm.
    files: [`${HOST}/repl/*.js`],
    languageOptions: {
      sourceType: "module",
      globals: { Convex: "readonly", atob: "readonly", btoa: "readonly" },
    },
  },
  {
    files: ["examples/**/*.js", "tests/e2e/clients/*_page*.mjs"],
    languageOptions: { sourceType: "module", globals: globals.browser },
  },
  {
    // Programs in strings have templates in them.
    files: ["tests/hosts_node/unit/*.mjs"],
    rules: { "no-template-curly-in-string": "off" },
  },
  {
    // Questions put to both runtimes in many odd ways, which are what is asked about.
    files: ["tests/hosts_node/web_apis/*.mjs"],
    languageOptions: { globals: { ...globals.node, AsyncLocalStorage: "readonly", self: "readonly" } },
    rules: {
      "no-new-wrappers": "off",
      "no-shadow": "off",
      "no-sparse-arrays": "off",
      "no-unused-vars": "off",
      "no-useless-concat": "off",
      "one-var": "off",
    },
  },
];
