import {
  Activity,
  Archive,
  CalendarClock,
  Database,
  FileText,
  FunctionSquare,
  HardDriveDownload,
  History,
  LogOut,
  Menu,
  Moon,
  Radio,
  ScrollText,
  Settings,
  Sun,
  Swords,
  Table2,
} from "lucide-react";
import { type ReactNode, useState } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { PausedNotice } from "../pages/pause";
import { Button } from "../parts/button";
import { useSession } from "../session/session";
import { ComponentSwitch } from "./component";
import { ConnectionNotice } from "./connection";
import { chooseTheme } from "./theme";

export const PAGES = [
  { path: "/", name: "Overview", icon: Activity },
  { path: "/data", name: "Data", icon: Database },
  { path: "/schema", name: "Schema", icon: Table2 },
  { path: "/functions", name: "Functions", icon: FunctionSquare },
  { path: "/logs", name: "Logs", icon: ScrollText },
  { path: "/live", name: "Live", icon: Radio },
  { path: "/contention", name: "Contention", icon: Swords },
  { path: "/schedules", name: "Schedules", icon: CalendarClock },
  { path: "/files", name: "Files", icon: FileText },
  { path: "/archives", name: "Archives", icon: Archive },
  { path: "/backups", name: "Backups", icon: HardDriveDownload },
  { path: "/history", name: "History", icon: History },
  { path: "/settings", name: "Settings", icon: Settings },
] as const;

/** The frame of all pages: where one can go, what one looks at, whether the server is there. */
export function Shell({ children }: { children: ReactNode }) {
  const [isOpen, setIsOpen] = useState(false);
  const { readOnly, signOut } = useSession();
  return (
    <div className="flex min-h-dvh flex-col md:flex-row">
      <a
        href="#content"
        className="sr-only focus:not-sr-only focus:fixed focus:z-20 focus:m-2 focus:rounded-md focus:bg-surface focus:p-2"
      >
        Skip to the content
      </a>
      <header className="flex items-center gap-3 border-b border-line bg-surface px-4 py-2 md:hidden">
        <Button kind="quiet" aria-expanded={isOpen} aria-controls="pages" onClick={() => setIsOpen(!isOpen)}>
          <Menu size={18} aria-hidden /> <span className="sr-only">Pages</span>
        </Button>
        <Mark />
      </header>
      <nav
        id="pages"
        aria-label="Pages"
        className={`${isOpen ? "flex" : "hidden"} w-full shrink-0 flex-col gap-1 border-r border-line bg-surface p-3 md:sticky md:top-0 md:flex md:h-dvh md:w-52`}
      >
        <div className="hidden px-2 pt-1 pb-3 md:block">
          <Mark />
        </div>
        {PAGES.map((page) => (
          <PageLink key={page.path} {...page} onFollow={() => setIsOpen(false)} />
        ))}
        <div className="mt-auto flex items-center gap-1 pt-3">
          <ThemeButton />
          <Button kind="quiet" onClick={signOut}>
            <LogOut size={16} aria-hidden /> Sign out
          </Button>
        </div>
      </nav>
      <div className="flex min-w-0 grow flex-col">
        <ConnectionNotice />
        <PausedNotice />
        {readOnly && (
          <p role="note" className="border-b border-line bg-raised px-4 py-2">
            This key may only read: what changes something is switched off.
          </p>
        )}
        <main id="content" tabIndex={-1} className="flex min-w-0 grow flex-col outline-none">
          {children}
        </main>
      </div>
    </div>
  );
}

/** The head of a page: its name, and what one does there. */
export function PageHead({ name, children }: { name: string; children?: ReactNode }) {
  return (
    <div className="flex flex-wrap items-center gap-3 border-b border-line bg-surface px-5 py-3">
      <h1 className="mr-auto text-lg font-semibold">{name}</h1>
      <ComponentSwitch />
      {children}
    </div>
  );
}

function Mark() {
  return (
    <span className="flex items-center gap-2 font-semibold">
      <img src="/dashboard/mark.svg" alt="" width="24" height="24" /> Parabola
    </span>
  );
}

function PageLink({ path, name, icon: Icon, onFollow }: (typeof PAGES)[number] & { onFollow: () => void }) {
  const [location] = useLocation();
  const component = new URLSearchParams(useSearch()).get("component");
  const isHere = path === "/" ? location === "/" : location === path || location.startsWith(`${path}/`);
  return (
    <Link
      href={component === null ? path : `${path}?component=${encodeURIComponent(component)}`}
      onClick={onFollow}
      aria-current={isHere ? "page" : undefined}
      className={`flex items-center gap-2 rounded-md px-2 py-1.5 ${isHere ? "bg-raised font-semibold text-accent" : "hover:bg-raised"}`}
    >
      <Icon size={16} aria-hidden /> {name}
    </Link>
  );
}

function ThemeButton() {
  const [isDark, setIsDark] = useState(() => document.documentElement.classList.contains("dark"));
  const toggle = () => {
    chooseTheme(isDark ? "light" : "dark");
    setIsDark(!isDark);
  };
  const Icon = isDark ? Sun : Moon;
  return (
    <Button kind="quiet" onClick={toggle} title={isDark ? "Light" : "Dark"}>
      <Icon size={16} aria-hidden />{" "}
      <span className="sr-only">{isDark ? "Use light colours" : "Use dark colours"}</span>
    </Button>
  );
}
