"""Module graphs that are hard to get right: those that somebody thought of, and random ones."""

# ruff: noqa: E501 - the modules are lines of their own language

from __future__ import annotations

import random

Graph = dict[str, str]

LOG = "globalThis.log ??= [];\n"
TRIED = "const tried = (f) => { try { return f(); } catch (e) { return `${e.name}: ${e.message}`; } };\n"

GRAPHS: dict[str, Graph] = {
    "a variable that its module changes": {
        "main": 'import { n, add } from "./a.js"; export const f = () => { add(); add(); return n; };',
        "a": "export let n = 0; export function add() { n++; }",
    },
    "a variable that an arrow function without braces changes": {
        "main": 'import { n, m, add, set } from "./a.js"; export const f = () => { add(); add(); set(7); return [n, m]; };',
        "a": "export let n = 0, m = 0; export const add = () => n++, set = async (x) => m = x; n = 5",
    },
    "every way to assign": {
        "main": """import * as all from "./a.js"; import { a, b, c, d, e } from "./a.js";
            export const f = () => { all.go(); return [a, b, c, d, e, Object.values({ ...all }).length]; };""",
        "a": """let a = 1, b = 1, c = 1, d = 1; var e; export { a, b, c, d, e };
            export const go = () => { a = 2; [b] = [2]; ({ c } = { c: 2 }); for (d of [1, 2]); e ??= 2; };""",
    },
    "a variable handed on by others": {
        "main": 'import { m } from "./b.js"; import { go } from "./c.js"; export const f = () => (go(), m);',
        "a": "export let n = 1; export const go = () => { n = 2; };",
        "b": 'import { n } from "./a.js"; export { n as m };',
        "c": 'export * from "./a.js";',
    },
    "functions of a cycle exist before it is evaluated": {
        "main": 'import { g } from "./a.js"; export function h() { return "h"; } export const f = () => g;',
        "a": 'import { h } from "./main.js"; export const g = h();',
    },
    "variables of a cycle do not": {
        "main": 'import { seen } from "./a.js"; export const late = 1; export let n = 1; export class C {}\n'
        + "export default 5; export const f = () => [seen, late];",
        "a": TRIED
        + 'import * as all from "./main.js"; import five, { late, n as m, C } from "./main.js";\n'
        + "export const seen = [tried(() => late), tried(() => m), tried(() => typeof C),\n"
        + "  tried(() => class extends C {}), tried(() => five), 'late' in all, Object.getOwnPropertyNames(all)];",
    },
    "an uninitialized variable fails the import": {
        "main": 'import "./a.js"; export const late = 1; export const f = () => late;',
        "a": 'import { late as early } from "./main.js"; early;',
    },
    "a cycle of three with a neighbour": {
        "main": LOG + 'import { b } from "./b.js"; log.push("main"); export const f = () => b();',
        "b": LOG
        + 'import { c } from "./c.js"; import { d } from "./d.js"; log.push("b", d);\n'
        + "export function b() { return c() + d; }",
        "c": LOG
        + TRIED
        + 'import { b } from "./b.js"; import { a } from "./a.js"; log.push("c", typeof b, a);\n'
        + "log.push(tried(() => b())); export function c() { return 1; }",
        "a": LOG + 'import "./b.js"; log.push("a"); export const a = "a";',
        "d": LOG + 'log.push("d"); export const d = 10;',
    },
    "a module imports itself": {
        "main": TRIED
        + 'import * as self from "./main.js"; import { x as y } from "./main.js";\n'
        + "const before = tried(() => y); export let x = 1; x = 2;\n"
        + "export const f = () => [before, self.x, y, self.f === f];",
    },
    "defaults and their names": {
        "main": """import A from "./a.js"; import B from "./b.js"; import C from "./c.js"; import D from "./d.js";
            import E from "./e.js"; import F from "./g.js";
            export const f = () => [A.name, B.name, C.name, D.name, E, A(), new C().v, typeof F, F.name];""",
        "a": "export default function () { return 1; }",
        "b": "export default () => 2",
        "c": "export default class { v = 3 }",
        "d": "export default class Named {}",
        "e": "export default [1, 2, 3].map((x) => x * 2);",
        "g": "export default async function* () {}",
    },
    "an anonymous default function is hoisted": {
        "main": 'import { g } from "./a.js"; export default function () { return "d"; } export const f = () => g;',
        "a": 'import d from "./main.js"; export const g = d();',
    },
    "a default does not follow its variable, a name does": {
        "main": 'import d, { n, go } from "./a.js"; export const f = () => (go(), [d, n]);',
        "a": "let n = 1; export { n }; export default n; export const go = () => { n = 2; };",
    },
    "declarations of many names": {
        "main": 'import * as all from "./a.js"; export const f = () => ({ ...all });',
        "a": """export const { a, b: [c = 3, ...d], ["e" + 1]: e, ...rest } = { a: 1, b: [], e1: 2, z: 9 };
            export let g = ((x, y) => x + y)(1, 2), h = [1, 2], i = `${[1, 2]},`, j;
            export var k = { l: 1, m: 2 }
            export async function n() {} export function* o() {} export class P {}""",
    },
    "stars": {
        "main": 'import * as all from "./a.js"; export const f = () => ({ ...all });',
        "a": 'export * from "./b.js"; export * from "./c.js"; export * as inner from "./b.js"; export const x = 0;',
        "b": "export const x = 1, y = 1, z = 1; export default 1;",
        "c": 'export const y = 2, w = 2; export { z } from "./b.js";',
    },
    "conflicting stars": {
        "main": 'import { y } from "./a.js"; export const f = () => y;',
        "a": 'export * from "./b.js"; export * from "./c.js";',
        "b": "export const y = 1;",
        "c": "export const y = 2;",
    },
    "stars in a circle": {
        "main": 'export * from "./a.js"; import { x, y } from "./b.js"; export const f = () => [x, y];',
        "a": 'export * from "./b.js"; export const x = 1;',
        "b": 'export * from "./a.js"; export const y = 2;',
    },
    "names that lead in a circle": {
        "main": 'import { x } from "./a.js"; export const f = () => x;',
        "a": 'export { x } from "./b.js";',
        "b": 'export { x } from "./a.js";',
    },
    "a missing name is found before anything runs": {
        "main": LOG + 'import "./a.js"; import { nope } from "./b.js"; export const f = () => log;',
        "a": LOG + 'log.push("a");',
        "b": "export {};",
    },
    "a missing name that is handed on": {
        "main": 'import "./a.js"; export const f = () => 1;',
        "a": 'export { nope } from "./b.js";',
        "b": "export {};",
    },
    "imports cannot be assigned": {
        "main": TRIED
        + 'import { n, go } from "./a.js"; import * as all from "./a.js"; export const f = () =>\n'
        + "[tried(() => { n = 1; }), tried(() => { n++; }), tried(() => { delete all.n; }), go(), n];",
        "a": "export let n = 0; export const go = () => { n = 7; };",
    },
    "this of what is called": {
        "main": """import { self, tag, Maker, go, set } from "./a.js";
            const o = { self() { return "method"; }, tag: 1, go(x) { return x; } };
            class Sub extends go(Maker) { self(a) { return a } static go() { return 5 } get tag() { return 6 } }
            const shadowed = (self) => self(1);
            function* go2() { yield self() }
            export const f = () => {
              set()
              const list = [self(), self ?.(), tag`a${self()}b`, o.self(), o.go(3), new Maker(1).n, new Sub(2).n]
              self()
              const later = async (self) => self(2)
              return [...list, shadowed(() => "in"), Sub.go(), new Sub(1).self(4), new Sub(1).tag, [...go2()],
                2 * self ("x").length, !self(), typeof self()]
            };""",
        "a": """export let self, tag, Maker, go; export function set() {
              self = function () { return this === undefined ? "none" : "some"; };
              tag = function (parts, x) { return [...parts, x, this === undefined]; };
            }
            set();
            Maker = class { constructor(n) { this.n = n; } }; go = function (x) { if (this) throw 1; return x; };
            export const again = () => { Maker = 1; go = 1; };""",
    },
    "evaluation order": {
        "main": LOG
        + 'import "./a.js"; import "./b.js"; import "./a.js"; log.push("main"); export const f = () => 1;',
        "a": LOG + 'import "./c.js"; import "./b.js"; log.push("a");',
        "b": LOG + 'import "./c.js"; import "./a.js"; log.push("b");',
        "c": LOG + 'log.push("c");',
    },
    "an import used in a function before it is evaluated elsewhere": {
        "main": 'import { a } from "./a.js"; import { d } from "./d.js"; export function g() { return d(); }\n'
        + "export const f = () => a;",
        "a": 'import { g } from "./main.js"; export const a = g();',
        "d": "export function d() { return 'd'; }",
    },
    "a function may be replaced": {
        "main": 'import { g, swap } from "./a.js"; export const f = () => [g(), swap(), g()];',
        "a": "export function g() { return 1; } export function swap() { g = () => 2; }",
    },
    "string names": {
        "main": 'import { "a b" as x, go } from "./a.js"; export const f = () => (go(), x);',
        "a": 'let a = 1; export { a as "a b" }; export const go = () => { a = 2; };',
    },
    "a namespace follows too": {
        "main": """import * as all from "./b.js"; export const f = () => {
              const { go } = all; go();
              return [all.n, Reflect.get(all, "n"), all.inner.n, { ...all }.n, all === all.self];
            };""",
        "a": "export let n = 1; export const go = () => { n += 1; };",
        "b": 'export * from "./a.js"; export * as inner from "./a.js"; export * as self from "./b.js";',
    },
    "lazy initialization": {
        "main": 'import { init, thing } from "./a.js"; init(); export const f = () => thing();',
        "a": """var done = 0, thing; var init = () => { if (!done) { done = 1; thing = () => "made"; } };
            export { init, thing };""",
    },
}


def random_graph(seed: int) -> Graph:
    """Modules that import each other at random, and note what they see while they are evaluated."""
    pick = random.Random(seed)
    names = ["main", *"abcd"[: pick.randint(1, 4)]]
    kinds = ["const", "let", "function", "class", "default", "lazy"]
    exports = {name: pick.sample(kinds, pick.randint(1, len(kinds))) for name in names}
    graph = {}
    for name in names:
        heads, notes = [], []
        for other in pick.sample(names, pick.randint(0 if name != "main" else 1, len(names))):
            for kind in exports[other]:
                local = f"{other}_{kind}"
                if pick.random() < 0.3:
                    continue
                imported = "default" if kind == "default" else local
                if pick.random() < 0.2:
                    heads.append(f'import * as ns_{other}_{kind} from "./{other}.js";')
                    local, imported = f"ns_{other}_{kind}.{imported}", ""
                else:
                    heads.append(f'import {{ {imported} as i_{local} }} from "./{other}.js";')
                    local = f"i_{local}"
                uses = {"function": f"{local}()", "class": f"new {local}().v", "lazy": f"{local}"}
                notes.append(f'note("{name} {local}", () => {uses.get(kind, local)});')
            if pick.random() < 0.2:
                heads.append(f'export * from "./{other}.js";')
        forms = {
            "const": f"export const {name}_const = '{name} const';",
            "let": f"export let {name}_let = '{name} let'; {name}_let += '!';",
            "function": f"export function {name}_function() {{ return note('call {name}', () => {name}_let_()); }}",
            "class": f"export class {name}_class {{ v = '{name} class' }}",
            "default": pick.choice(
                [f"export default '{name}';", "export default function () {}", "export default class {}"]
            ),
            "lazy": f"export let {name}_lazy; export const {name}_set = () => {{ {name}_lazy = 'set'; }};",
        }
        body = [forms[kind] for kind in exports[name]]
        if "lazy" in exports[name]:
            body.append(f"note('{name} set', () => {name}_set());")
        body.append(f"function {name}_let_() {{ return '{name} inner'; }}")
        rest = [*notes, *body]
        pick.shuffle(rest)
        note = (
            "function note(what, f) { let it; try { it = f(); if (typeof it === 'function') it = it.name; } "
            "catch (e) { it = `${e.name}: ${e.message}`; } (globalThis.log ??= []).push([what, it]); return it; }"
        )
        lines = [*heads, note, *rest]
        if name == "main":
            lines += ["export const f = () => { " + " ".join(notes) + " return 1; };"]
        graph[name] = "\n".join(lines)
    return graph
