import type { ReactNode } from "react";

/**
 * A plain table of a page: for what is a few hundred rows at most. It scrolls by itself where the page is narrow. A column
 * of buttons has the head "".
 */
export function Table({ heads, children, label }: { heads: string[]; children: ReactNode; label: string }) {
  return (
    <div className="relative overflow-x-auto" tabIndex={0} role="region" aria-label={`Table: ${label}`}>
      <table className="w-full border-collapse text-left">
        <thead>
          <tr>
            {heads.map((head) =>
              head === "" ? (
                <td key={head} className="border-b border-line" />
              ) : (
                <th
                  key={head}
                  scope="col"
                  className="border-b border-line px-4 py-2 font-medium whitespace-nowrap text-quiet"
                >
                  {head}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody className="[&>tr:hover]:bg-raised [&>tr>td]:border-b [&>tr>td]:border-line [&>tr>td]:px-4 [&>tr>td]:py-2 [&>tr>td]:align-top">
          {children}
        </tbody>
      </table>
    </div>
  );
}
