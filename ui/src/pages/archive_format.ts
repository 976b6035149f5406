/** What kind of file an import is, by its name; null for one that the server does not read. */
export function formatOf(name: string): "csv" | "jsonLines" | "jsonArray" | "zip" | null {
  const ending = name.toLowerCase().split(".").at(-1);
  if (ending === "csv" || ending === "zip") return ending;
  if (ending === "jsonl") return "jsonLines";
  return ending === "json" ? "jsonArray" : null;
}
