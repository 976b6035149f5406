/** Where the tables of a diagram stand, and how the references between them run. Pure. */
export interface Reference {
  from: string;
  to: string;
  /** The fields that hold ids of the other table. */
  fields: string[];
}

export interface Box {
  name: string;
  x: number;
  y: number;
}

export interface Edge extends Reference {
  path: string;
}

export interface Layout {
  boxes: Box[];
  edges: Edge[];
  width: number;
  height: number;
}

export const BOX_WIDTH = 176;
export const BOX_HEIGHT = 40;
const GAP_X = 84;
const GAP_Y = 18;
const BEND_HEIGHT = 8;
const MARGIN = 16;
const MOST_IN_COLUMN = 14;
const MOST_LAYERS = 6;
const TALL = 560;
const SWEEPS = 8;

/** A place in a column: a table, or where an arrow goes past to a table further on. */
interface Slot {
  key: string;
  table: string | null;
}

/**
 * Tables that refer to others stand left of these, each column in the order that crosses least, and an arrow to a table
 * further on has a place of its own in the columns between; tables that have to do with no other stand below.
 */
export function layOut(tables: readonly string[], references: readonly Reference[]): Layout {
  const known = new Set(tables);
  const links = references.filter(({ from, to }) => known.has(from) && known.has(to));
  const joined = new Set(links.flatMap(({ from, to }) => (from === to ? [] : [from, to])));
  const layers = layersOf(
    tables.filter((name) => joined.has(name)),
    links,
  ).flatMap(inColumns);
  const { columns, ways } = withBends(layers, links);
  const slots = untangled(columns, ways);

  const heights = slots.map((column) => column.reduce((total, slot) => total + heightOf(slot) + GAP_Y, 0));
  const tallest = Math.max(0, ...heights);
  const points = new Map<string, { x: number; y: number }>();
  const boxes: Box[] = [];
  slots.forEach((column, place) => {
    const x = MARGIN + place * (BOX_WIDTH + GAP_X);
    let y = MARGIN + (tallest > TALL ? 0 : (tallest - heights[place]!) / 2);
    for (const slot of column) {
      if (slot.table !== null) boxes.push({ name: slot.table, x, y });
      points.set(slot.key, { x, y: y + heightOf(slot) / 2 });
      y += heightOf(slot) + GAP_Y;
    }
  });
  const below = tallest === 0 ? MARGIN : MARGIN + tallest + GAP_Y;
  const alone = tables.filter((name) => !joined.has(name));
  const across = Math.max(slots.length, Math.min(4, alone.length), 1);
  alone.forEach((name, place) => {
    const x = MARGIN + (place % across) * (BOX_WIDTH + GAP_X);
    const y = below + Math.floor(place / across) * (BOX_HEIGHT + GAP_Y);
    boxes.push({ name, x, y });
    points.set(name, { x, y: y + BOX_HEIGHT / 2 });
  });
  return {
    boxes,
    edges: ways.map(({ link, keys }) => ({ ...link, path: pathOf(keys.map((key) => points.get(key)!)) })),
    width: Math.max(0, ...boxes.map(({ x }) => x + BOX_WIDTH)) + MARGIN + GAP_X / 2,
    height: Math.max(0, ...boxes.map(({ y }) => y + BOX_HEIGHT)) + MARGIN,
  };
}

function heightOf(slot: Slot): number {
  return slot.table === null ? BEND_HEIGHT : BOX_HEIGHT;
}

/** The tables by how many references lead to them in a row, without those that would close a circle. */
function layersOf(tables: readonly string[], links: readonly Reference[]): string[][] {
  const next = new Map<string, string[]>(tables.map((name) => [name, []]));
  for (const { from, to } of links) if (from !== to) next.get(from)?.push(to);
  const state = new Map<string, "open" | "done">();
  const forward = new Map<string, string[]>(tables.map((name) => [name, []]));
  const done: string[] = [];
  const visit = (name: string) => {
    state.set(name, "open");
    for (const to of next.get(name) ?? []) {
      if (state.get(to) === "open") continue; // it would close a circle
      forward.get(name)!.push(to);
      if (!state.has(to)) visit(to);
    }
    state.set(name, "done");
    done.push(name);
  };
  for (const name of tables) if (!state.has(name)) visit(name);
  const depth = new Map<string, number>(tables.map((name) => [name, 0]));
  for (const name of done.reverse()) {
    for (const to of forward.get(name)!) depth.set(to, Math.max(depth.get(to)!, depth.get(name)! + 1));
  }
  const layers: string[][] = [];
  for (const name of tables) (layers[Math.min(depth.get(name)!, MOST_LAYERS - 1)] ??= []).push(name);
  return layers;
}

/** A layer that is too tall stands in several columns. */
function inColumns(layer: readonly string[]): string[][] {
  const number = Math.ceil(layer.length / MOST_IN_COLUMN);
  const size = Math.ceil(layer.length / number);
  return Array.from({ length: number }, (_, at) => layer.slice(at * size, (at + 1) * size));
}

interface Way {
  link: Reference;
  /** The slots that it goes through, from table to table. */
  keys: string[];
}

/** The columns with a slot for each arrow that goes past, and the ways of all arrows. */
function withBends(layers: readonly string[][], links: readonly Reference[]): { columns: Slot[][]; ways: Way[] } {
  const columns: Slot[][] = layers.map((layer) => layer.map((name) => ({ key: name, table: name })));
  const columnOf = new Map(layers.flatMap((layer, place) => layer.map((name) => [name, place] as const)));
  const ways = links.map((link) => {
    const [start, end] = [columnOf.get(link.from) ?? 0, columnOf.get(link.to) ?? 0];
    const keys = [link.from];
    const step = end > start ? 1 : -1;
    for (let place = start + step; step * place < step * end; place += step) {
      const key = `${link.from} ${link.to} ${place}`;
      columns[place]!.push({ key, table: null });
      keys.push(key);
    }
    return { link, keys: [...keys, link.to] };
  });
  return { columns, ways };
}

/** Each column in the order of the middle of what its slots are joined to, back and forth. */
function untangled(columns: Slot[][], ways: readonly Way[]): Slot[][] {
  const neighbours = new Map<string, string[]>();
  const join = (a: string, b: string) => neighbours.set(a, [...(neighbours.get(a) ?? []), b]);
  for (const { keys } of ways) {
    keys.slice(1).forEach((key, at) => {
      join(keys[at]!, key);
      join(key, keys[at]!);
    });
  }
  let ordered = columns;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const place = new Map(
      ordered.flatMap((column) => column.map((slot, at) => [slot.key, (at + 0.5) / column.length] as const)),
    );
    ordered = ordered.map((column) => {
      const middle = ({ key }: Slot) => {
        const places = (neighbours.get(key) ?? []).map((each) => place.get(each) ?? 0);
        return places.length === 0 ? place.get(key)! : places.reduce((a, b) => a + b) / places.length;
      };
      return [...column].sort((a, b) => middle(a) - middle(b));
    });
  }
  return ordered;
}

/** The line through the points of an arrow, which are the left middles of its slots. */
function pathOf(points: readonly { x: number; y: number }[]): string {
  const [from, to] = [points[0]!, points.at(-1)!];
  const right = from.x + BOX_WIDTH;
  if (from === to) return `M ${right} ${from.y - 8} c 30 -14, 30 30, 0 16`;
  if (from.x === to.x) {
    return `M ${right} ${from.y} C ${right + 46} ${from.y}, ${right + 46} ${to.y}, ${right} ${to.y}`;
  }
  const isForward = to.x > from.x;
  const near = (x: number) => (isForward ? x : x + BOX_WIDTH);
  const far = (x: number) => (isForward ? x + BOX_WIDTH : x);
  let path = `M ${far(from.x)} ${from.y}`;
  points.slice(1).forEach(({ x, y }, at) => {
    const before = points[at]!;
    const bend = (near(x) - far(before.x)) / 2;
    path += ` C ${far(before.x) + bend} ${before.y}, ${near(x) - bend} ${y}, ${near(x)} ${y}`;
    if (at < points.length - 2) path += ` L ${far(x)} ${y}`;
  });
  return path;
}
