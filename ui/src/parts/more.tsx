import { Button } from "./button";

/** The end of a list that comes in pages. */
export function More({
  status,
  onMore,
}: {
  status: "LoadingFirstPage" | "CanLoadMore" | "LoadingMore" | "Exhausted";
  onMore: () => void;
}) {
  if (status !== "CanLoadMore" && status !== "LoadingMore") return null;
  return (
    <div className="p-4 text-center">
      <Button disabled={status === "LoadingMore"} onClick={onMore}>
        {status === "LoadingMore" ? "Loading…" : "Show more"}
      </Button>
    </div>
  );
}
