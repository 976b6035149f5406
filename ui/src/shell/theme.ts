/** Light or dark: as the system has it, unless this browser was told otherwise. */
export type Theme = "system" | "light" | "dark";

const STORED = "parabola theme";
const prefersDark = () => matchMedia("(prefers-color-scheme: dark)");

export function storedTheme(): Theme {
  const kept = localStorage.getItem(STORED);
  return kept === "light" || kept === "dark" ? kept : "system";
}

export function applyTheme(theme: Theme): void {
  const isDark = theme === "dark" || (theme === "system" && prefersDark().matches);
  document.documentElement.classList.toggle("dark", isDark);
}

export function chooseTheme(theme: Theme): void {
  if (theme === "system") localStorage.removeItem(STORED);
  else localStorage.setItem(STORED, theme);
  applyTheme(theme);
}

/** Apply the theme, now and whenever the system changes its own. */
export function startTheme(): void {
  applyTheme(storedTheme());
  prefersDark().addEventListener("change", () => applyTheme(storedTheme()));
}
